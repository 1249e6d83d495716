//! Metrics of the models: whether they can be reached, which calls wait for their turn, and which are not made.

use std::time::Duration;

use endpoint::metrics::Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use super::CALL_SECONDS;
use crate::config::Active;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelLabel {
    model: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

/// See the module.
pub(super) struct Models {
    reachable: Family<ModelLabel, Gauge>,
    circuit_open: Gauge,
    not_called: Family<ReasonLabel, Counter>,
    waiting: Family<ModelLabel, Gauge>,
    wait_seconds: Family<ModelLabel, Histogram>,
}

impl Models {
    pub(super) fn registered(new: &mut Registered<'_>) -> Self {
        let seconds = Family::new_with_constructor((|| Histogram::new(CALL_SECONDS)) as fn() -> Histogram);
        Self {
            reachable: new.metric(
                "upstream_reachable",
                "Whether the endpoint of a model (local, claude, grader) answered last; without a value it was not asked yet",
            ),
            circuit_open: new.metric(
                "local_circuit_open",
                "Whether the local model is left alone because it failed several times in a row",
            ),
            not_called: new.metric(
                "model_not_called",
                "Model calls that were not made, by reason: local_circuit_open, local_busy, claude_busy",
            ),
            waiting: new.metric("waiting_calls", "Calls that wait for their turn with a model (maxConcurrent)"),
            wait_seconds: new.with(
                "model_wait_seconds",
                "How long calls waited for their turn with a model that has a maxConcurrent",
                seconds,
            ),
        }
    }

    /// A call of `arm` was not made; `kind`: why, as an error's kind.
    pub(super) fn not_called(&self, arm: &'static str, kind: &'static str) {
        self.not_called.get_or_create(&ReasonLabel { reason: format!("{arm}_{kind}") }).inc();
    }

    /// A call of `arm` waited so long for its turn, whether or not that came.
    pub(super) fn waited(&self, arm: &'static str, time: Duration) {
        self.wait_seconds.get_or_create(&ModelLabel { model: arm }).observe(time.as_secs_f64());
    }

    /// What the models of a config say now.
    pub(super) fn look(&self, active: &Active) {
        for (model, client) in active.models_by_name() {
            let label = ModelLabel { model };
            let Some(client) = client else {
                // It was in the policy before.
                self.waiting.remove(&label);
                self.reachable.remove(&label);
                continue;
            };
            self.waiting.get_or_create(&label).set(number(client.load().waiting));
            match client.reachability().reachable {
                Some(reachable) => drop(self.reachable.get_or_create(&label).set(reachable.into())),
                None => drop(self.reachable.remove(&label)),
            }
        }
        let open = active.local.circuit().is_some_and(|circuit| circuit.is_open());
        self.circuit_open.set(open.into());
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
