//! What all requests share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    call::{ModelWarnings, ShadowPlaces},
    config::Config,
    decision_log::DecisionLog,
    grading::Gradings,
    metrics::Metrics,
    otlp::Otlp,
    rendering::Renderers,
    repeats::Repeats,
    shutdown::Shutdown,
    traces::Traces,
    workspace::WorkspaceFiles,
};

/// The running data plane.
pub struct DataPlane {
    /// The running config, and its source.
    pub config: Arc<Config>,
    pub metrics: Arc<Metrics>,
    /// Decisions on their way to the brain.
    pub decision_log: Arc<DecisionLog>,
    /// Warnings of model calls, at most one a minute for each kind.
    pub model_warnings: ModelWarnings,
    /// How many calls of the local model run in the background.
    pub shadows: ShadowPlaces,
    /// Answers that a model judges.
    pub gradings: Gradings,
    /// Calls of late, so that one that is made again is noticed.
    pub repeats: Repeats,
    /// What renders prompts.
    pub renderers: Renderers,
    /// The folders below which callers' files may be read.
    pub workspace: WorkspaceFiles,
    /// Spans and measurements for OpenTelemetry.
    pub traces: Traces,
    /// What sends them.
    pub otlp: Otlp,
    /// Tells which phase of shutdown has begun.
    pub shutdown: Shutdown,
    in_flight: watch::Sender<usize>,
}

impl DataPlane {
    pub fn new(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        decision_log: Arc<DecisionLog>,
        workspace: WorkspaceFiles,
        (otlp, traces): (Otlp, Traces),
        shutdown: Shutdown,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            metrics,
            decision_log,
            model_warnings: ModelWarnings::default(),
            shadows: ShadowPlaces::default(),
            gradings: Gradings::default(),
            repeats: Repeats::default(),
            renderers: Renderers::default(),
            workspace,
            traces,
            otlp,
            shutdown,
            in_flight: watch::Sender::new(0),
        })
    }

    /// Waits until no call is in flight.
    pub async fn idle(&self) {
        // Fails only when the sender is gone, and it is a part of `self`.
        let _ = self.in_flight.subscribe().wait_for(|calls| *calls == 0).await;
    }

    /// Admits one more call; none if `limit` calls are already in flight.
    pub fn admit(self: &Arc<Self>, limit: usize) -> Option<InFlight> {
        let admitted = self.in_flight.send_if_modified(|calls| {
            let admitted = *calls < limit;
            *calls += usize::from(admitted);
            admitted
        });
        admitted.then(|| {
            self.metrics.in_flight().inc();
            InFlight(Arc::clone(self))
        })
    }
}

/// A call in flight; dropping this frees its place.
pub struct InFlight(Arc<DataPlane>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|calls| *calls -= 1);
        self.0.metrics.in_flight().dec();
    }
}
