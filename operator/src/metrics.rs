//! The operator's metrics. Labels come from enums, never from objects' names.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry},
};

/// Upper bounds of the buckets for durations of reconciliations, in seconds.
const SECONDS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The metrics and their registry.
pub struct Metrics {
    registry: Registry,
    reconciles: Counter,
    errors: Family<ErrorLabel, Counter>,
    seconds: Histogram,
    watch_errors: Counter,
    nudges: Counter,
    unreachable_pods: Counter,
    desired_pods: Gauge,
    programmed_pods: Gauge,
    /// 1 while this replica holds the lease.
    pub leader: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabel {
    error: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("routing_operator");
        registry.register("build", "Version of this program", Info::new([("version", crds::VERSION)]));
        let mut new = Registered(&mut registry);
        Self {
            reconciles: new.metric("reconciles", "Reconciliations of policies"),
            errors: new.metric("reconcile_errors", "Reconciliations that failed and are retried, by step"),
            seconds: new.with("reconcile_duration_seconds", "Duration of a reconciliation", Histogram::new(SECONDS)),
            watch_errors: new.metric("watch_errors", "Lists and watches that failed and are retried"),
            nudges: new.metric("pod_nudges", "Pods annotated so that the kubelet refreshes their files"),
            unreachable_pods: new.metric("pods_unreachable", "Queries of pods that were not answered"),
            desired_pods: new
                .metric("desired_pods", "Pods that all policies should have, as far as they were reconciled"),
            programmed_pods: new.metric("programmed_pods", "Pods among these that run the last config of their policy"),
            leader: new.metric("leader", "1 if this replica leads, otherwise 0"),
            registry,
        }
    }
}

/// Registers each metric where it is created.
struct Registered<'a>(&'a mut Registry);

impl Registered<'_> {
    fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.with(name, help, M::default())
    }

    fn with<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
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

    /// Counts a reconciliation that ended, failed or not, and its duration.
    pub fn reconciled(&self, took: Duration) {
        self.reconciles.inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a list or a watch that failed.
    pub fn watch_failed(&self) {
        self.watch_errors.inc();
    }

    /// Counts a failed reconciliation; `category` becomes the label `error`: the step, `timed_out` or `panicked`.
    pub fn failed(&self, category: &'static str) {
        self.errors.get_or_create(&ErrorLabel { error: category }).inc();
    }

    /// How many pods all policies should have, and how many run the last config of theirs.
    pub fn pods(&self, (desired, programmed): (u64, u64)) {
        self.desired_pods.set(i64::try_from(desired).unwrap_or(i64::MAX));
        self.programmed_pods.set(i64::try_from(programmed).unwrap_or(i64::MAX));
    }

    /// Pods were queried: this many did not answer, and this many were annotated.
    pub fn queried(&self, unreachable: u64, nudged: u64) {
        self.unreachable_pods.inc_by(unreachable);
        self.nudges.inc_by(nudged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_as_documented() {
        let metrics = Metrics::default();
        metrics.reconciled(Duration::from_millis(20));
        metrics.failed("apply");
        metrics.pods((3, 2));
        let text = metrics.text();
        let build = format!("routing_operator_build_info{{version=\"{}\"}} 1", crds::VERSION);
        for line in [
            build.as_str(),
            "routing_operator_reconciles_total 1",
            "routing_operator_reconcile_errors_total{error=\"apply\"} 1",
            "routing_operator_reconcile_duration_seconds_count 1",
            "routing_operator_leader 0",
            "routing_operator_desired_pods 3",
            "routing_operator_programmed_pods 2",
            "routing_operator_pod_nudges_total 0",
            "routing_operator_watch_errors_total 0",
            "routing_operator_pods_unreachable_total 0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
