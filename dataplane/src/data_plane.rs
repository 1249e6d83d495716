//! What all requests share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{config::Config, decision_log::DecisionLog, metrics::Metrics, shutdown::Shutdown, workspace::Workspace};

/// How often shutdown checks whether calls are in flight.
const IDLE_STEP: Duration = Duration::from_millis(20);

/// The running data plane.
pub struct DataPlane {
    /// The running config, and its source.
    pub config: Arc<Config>,
    pub metrics: Arc<Metrics>,
    /// Decisions on their way to the brain.
    pub decision_log: Arc<DecisionLog>,
    /// The folders below which callers' files may be read.
    pub workspace: Workspace,
    /// Tells which phase of shutdown has begun.
    pub shutdown: Shutdown,
    in_flight: AtomicUsize,
}

impl DataPlane {
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

    /// Waits until no call is in flight.
    pub async fn idle(&self) {
        while self.in_flight.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(IDLE_STEP).await;
        }
    }

    /// Admits one more call; none if `limit` calls are already in flight.
    #[must_use]
    pub fn admit(self: &Arc<Self>, limit: usize) -> Option<InFlight> {
        let next = |count: usize| (count < limit).then_some(count + 1);
        self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()?;
        self.metrics.in_flight().inc();
        Some(InFlight(Arc::clone(self)))
    }
}

/// A call in flight; dropping this frees its place.
pub struct InFlight(Arc<DataPlane>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.in_flight().dec();
    }
}
