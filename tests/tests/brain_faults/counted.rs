//! What the data plane counts by the kind of an error.

use std::collections::BTreeMap;

use tests::program::Running;

/// Failed requests for pass rates.
pub const NO_RATE: &str = "routing_pass_rate_errors_total";
/// Records that did not reach the brain.
pub const NOT_DELIVERED: &str = "routing_decision_log_dropped_total";
/// No whole answer in time.
pub const UNREACHABLE: &str = "unreachable";
/// Too many records wait for the brain.
pub const QUEUE_FULL: &str = "queue_full";

/// Counts by the kind of an error.
pub type Kinds = BTreeMap<String, usize>;

/// The counts of a metric so far.
pub async fn so_far(routing: &Running, metric: &str) -> Kinds {
    let (metrics, begins) = (routing.admin("/metrics").await, format!("{metric}{{kind=\""));
    let kinds = metrics.lines().filter_map(|line| line.strip_prefix(&begins)?.split_once("\"} "));
    kinds.map(|(kind, count)| (kind.into(), count.parse().expect("a whole number"))).collect()
}

/// What was counted since `before`.
pub fn since(before: &Kinds, now: &Kinds) -> Kinds {
    let new = now.iter().map(|(kind, count)| (kind.clone(), count - before.get(kind).copied().unwrap_or_default()));
    new.filter(|(_, count)| *count > 0).collect()
}

/// All counts together.
pub fn sum(kinds: &Kinds) -> usize {
    kinds.values().sum()
}

/// Whether there are errors of this kind, and no others but those of a machine that is too busy.
pub fn are(kinds: &Kinds, kind: &str) -> bool {
    kinds.contains_key(kind) && kinds.keys().all(|known| known == kind || known == UNREACHABLE)
}
