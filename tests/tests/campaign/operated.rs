//! An operator of one namespace in this process: a thread with a runtime of its own. When it crashes the runtime goes, with
//! every task and connection of it, as a process would; then it is started again under the same name.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use operator::{Clients, Settings, client::LEASE_TIMEOUT};
use serde_json::json;
use tests::ports;
use tokio_util::sync::CancellationToken;

use super::{faults::Faults, service};

/// How often the pods of a policy are asked when nothing changes: more often than by default, so that a plan takes seconds.
pub const RESYNC: Duration = Duration::from_secs(2);
/// How often watches begin anew: as by default; and where events are lost, which nothing else would find.
const RELIST: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(5)];

/// Which replica an operator is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Replica {
    /// The one of the plan.
    First,
    /// Another one, which always believes that it holds the lease.
    SecondLeader,
}

/// A running operator; it is killed when this is dropped.
pub struct Operated {
    stop: CancellationToken,
}

impl Operated {
    /// Starts it, with what goes wrong with it.
    #[must_use]
    pub fn start(config: &Config, namespace: &str, replica: Replica, faults: Arc<Faults>) -> Self {
        let stop = CancellationToken::new();
        let process =
            Process { config: config.clone(), namespace: namespace.into(), replica, faults, stop: stop.clone() };
        // Not joined: what it still does ends with its runtime.
        std::thread::spawn(move || process.run());
        Self { stop }
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Process {
    config: Config,
    namespace: String,
    replica: Replica,
    faults: Arc<Faults>,
    stop: CancellationToken,
}

impl Process {
    /// Runs until it is stopped, anew after each crash.
    fn run(&self) {
        while !self.stop.is_cancelled() {
            let crash = self.faults.begin();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = crash.cancelled() => {}
                    () = self.stop.cancelled() => {}
                    ended = self.operate() => println!("the operator of {} ended: {ended:?}", self.namespace),
                }
            });
            runtime.shutdown_background();
        }
        // What is left of it must not write any more.
        self.faults.crash();
    }

    fn operate(&self) -> impl Future<Output = Result<(), operator::OperatorError>> {
        let clients =
            Clients { api: service::client(self.config.clone(), Arc::clone(&self.faults)), lease: self.lease() };
        operator::run(self.settings(), clients, CancellationToken::new())
    }

    fn settings(&self) -> Settings {
        let name = match self.replica {
            Replica::First => "first",
            Replica::SecondLeader => "second",
        };
        let arguments = arguments(&self.namespace, name, self.faults.lose_events());
        let command = std::iter::once("routing-operator".to_string()).chain(arguments);
        Settings::try_parse_from(command).expect("settings")
    }

    fn lease(&self) -> Client {
        if self.replica == Replica::SecondLeader {
            return ClientBuilder::new(tower::service_fn(held), "default").build();
        }
        let mut in_time = self.config.clone();
        in_time.connect_timeout = Some(LEASE_TIMEOUT);
        in_time.read_timeout = Some(LEASE_TIMEOUT);
        in_time.write_timeout = Some(LEASE_TIMEOUT);
        service::client(in_time, Arc::clone(&self.faults))
    }
}

/// The arguments of the operator of one namespace, in which it also has its lease.
#[must_use]
pub fn arguments(namespace: &str, name: &str, lose_events: bool) -> Vec<String> {
    let (resync, relist) = (RESYNC.as_secs(), RELIST[usize::from(lose_events)].as_secs());
    vec![
        format!("--namespace={namespace}"),
        format!("--resync={resync}s"),
        format!("--relist={relist}s"),
        format!("--admin-address=127.0.0.1:{}", ports::free()),
        "--image=routing:0.1.0".into(),
        format!("--pod-name={name}"),
        format!("--pod-namespace={namespace}"),
    ]
}

/// The lease as the second leader has it, whatever it asks.
async fn held(_: http::Request<Body>) -> Result<http::Response<axum::body::Body>, axum::BoxError> {
    let now = MicroTime(Timestamp::now());
    let spec = json!({"holderIdentity": "second", "acquireTime": now, "renewTime": now, "leaseDurationSeconds": 15,
        "leaseTransitions": 1});
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "routing-operator"}, "spec": spec});
    Ok(http::Response::new(lease.to_string().into()))
}
