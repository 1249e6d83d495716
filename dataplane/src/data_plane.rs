//! What every request shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{config::Config, decision_log::DecisionLog, metrics::Metrics, shutdown::Shutdown, workspace::Workspace};

/// How often the end looks whether calls are in flight.
const IDLE_STEP: Duration = Duration::from_millis(20);

/// The running data plane.
pub struct DataPlane {
    /// What runs, and its source.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where decisions go.
    pub decision_log: Arc<DecisionLog>,
    /// The files that may be read.
    pub workspace: Workspace,
    /// How far shutdown is.
    pub shutdown: Shutdown,
    in_flight: AtomicUsize,
}

impl DataPlane {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        decision_log: Arc<DecisionLog>,
        workspace: Workspace,
        shutdown: Shutdown,
    ) -> Arc<Self> {
        Arc::new(Self { config, metrics, decision_log, workspace, shutdown, in_flight: AtomicUsize::new(0) })
    }

    /// Waits until no call is being worked on.
    pub async fn idle(&self) {
        while self.in_flight.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(IDLE_STEP).await;
        }
    }

    /// A place for one more call; none when `limit` calls are being worked on.
    #[must_use]
    pub fn admit(self: &Arc<Self>, limit: usize) -> Option<InFlight> {
        let next = |count: usize| (count < limit).then_some(count + 1);
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?;
        self.metrics.in_flight().inc();
        Some(InFlight(Arc::clone(self)))
    }
}

/// A call being worked on; its place is free again when this is dropped.
pub struct InFlight(Arc<DataPlane>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.in_flight().dec();
    }
}
