//! What the operator counts. Labels come from enums, never from objects' names.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

/// Upper bounds of reconcile times, in seconds.
const SECONDS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The metrics and their registry.
pub struct Metrics {
    registry: Registry,
    reconciles: Counter,
    errors: Family<ErrorLabel, Counter>,
    seconds: Histogram,
    pokes: Counter,
    unreachable_pods: Counter,
    /// Whether this replica holds the lease.
    pub leader: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabel {
    error: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            reconciles: Counter::default(),
            errors: Family::default(),
            seconds: Histogram::new(SECONDS),
            pokes: Counter::default(),
            unreachable_pods: Counter::default(),
            leader: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("routing_operator");
        registry.register("build", "Version of this program", Info::new([("version", crds::VERSION)]));
        registry.register("reconciles", "Looks at a policy", metrics.reconciles.clone());
        registry.register("reconcile_errors", "Looks that failed and are tried again", metrics.errors.clone());
        registry.register("reconcile_duration_seconds", "Time of a look at a policy", metrics.seconds.clone());
        registry.register("pod_pokes", "Pods annotated so that their files are refreshed", metrics.pokes.clone());
        registry.register(
            "pods_unreachable",
            "Pods that were asked and did not answer",
            metrics.unreachable_pods.clone(),
        );
        registry.register("leader", "Whether this replica holds the lease", metrics.leader.clone());
        metrics.registry = registry;
        metrics
    }
}

impl Metrics {
    /// The metrics in OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A policy was looked at.
    pub fn reconciled(&self, took: Duration) {
        self.reconciles.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A look failed; `category` is one of a few.
    pub fn failed(&self, category: &'static str) {
        self.errors.get_or_create(&ErrorLabel { error: category }).inc();
    }

    /// A pod was annotated.
    pub fn poked(&self) {
        self.pokes.inc();
    }

    /// A pod did not answer.
    pub fn pod_unreachable(&self) {
        self.unreachable_pods.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_as_documented() {
        let metrics = Metrics::default();
        metrics.reconciled(Duration::from_millis(20));
        metrics.failed("api");
        let text = metrics.text();
        let build = format!("routing_operator_build_info{{version=\"{}\"}} 1", crds::VERSION);
        for line in [
            build.as_str(),
            "routing_operator_reconciles_total 1",
            "routing_operator_reconcile_errors_total{error=\"api\"} 1",
            "routing_operator_reconcile_duration_seconds_count 1",
            "routing_operator_leader 0",
            "routing_operator_pod_pokes_total 0",
            "routing_operator_pods_unreachable_total 0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
