//! A control plane of its own with the operator, as it is installed, and nothing else.

use std::time::Duration;

use tests::{
    cluster::deploy, control_plane::ControlPlane, memory, operator::Operator, process::processor_time,
    requests::Requests,
};

use super::fleet::{FEW, Fleet, MANY};

/// Wait before the memory of an operator without policies counts.
const STARTED: Duration = Duration::from_secs(5);

/// The programs that are measured.
pub struct Rig {
    /// The policies.
    pub fleet: Fleet,
    /// Memory of the operator without policies, in MiB.
    pub start_mib: f64,
    plane: ControlPlane,
    operator: Operator,
    /// How much of the audit record was read, in bytes.
    read: u64,
}

impl Rig {
    /// Starts them.
    pub async fn start() -> Self {
        let plane = ControlPlane::start().await;
        plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
        for namespace in [FEW, MANY] {
            let _ = plane.namespace(namespace);
        }
        let operator = Operator::start(&plane, "operator", &[]).await;
        operator.wait_until("watching").await;
        tokio::time::sleep(STARTED).await;
        let fleet = Fleet::new(plane.client().await);
        let start_mib = memory::held(operator.id()).mib();
        Self { fleet, start_mib, plane, operator, read: 0 }
    }

    /// The operator's requests since the last call.
    pub fn requests(&mut self) -> Requests {
        Requests::since(&self.plane, &mut self.read)
    }

    /// The processor time that the operator used so far.
    pub fn cpu(&self) -> Duration {
        processor_time(self.operator.id())
    }

    /// The memory of the operator now, in MiB.
    pub fn mib(&self) -> f64 {
        memory::held(self.operator.id()).mib()
    }

    /// The most memory that the operator had so far, in MiB.
    pub fn peak_mib(&self) -> u64 {
        self.operator.peak_mib()
    }
}
