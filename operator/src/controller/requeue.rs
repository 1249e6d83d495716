//! When to reconcile again even if nothing changes.

use std::time::{Duration, Instant};

use crds::policy::{RoutingPolicyStatus, condition};

use super::backoff::doubled;

/// The first and the longest wait after failed reconciliations: 1 s, 2 s, 4 s, … 60 s.
const FAILED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The shortest wait, even if a refused child may be sent again sooner.
const LEAST: Duration = Duration::from_secs(1);
/// While a change is in progress: up to this age, reconcile this often. Then `YOUNG` applies, then `OLD_EVERY`.
const FRESH: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(500));
const YOUNG: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));
const OLD_EVERY: Duration = Duration::from_secs(15);

/// The config that not all pods run yet, by hash, and since when.
#[derive(Clone, Default, Debug)]
pub struct Unsettled(Option<(Option<String>, Instant)>);

/// The wait after this many failed reconciliations in a row.
#[must_use]
pub fn after_failures(failures: u32) -> Duration {
    let (first, max) = FAILED;
    doubled(first, failures, max)
}

/// The wait until the next reconciliation. `retry_at` is when a refused child may be sent again, `resync` the wait of a
/// settled policy.
pub fn after(
    status: &RoutingPolicyStatus,
    retry_at: Option<Instant>,
    resync: Duration,
    unsettled: &mut Unsettled,
    now: Instant,
) -> Duration {
    if status.is_true(condition::READY) {
        *unsettled = Unsettled::default();
        return resync;
    }
    let age = unsettled.age(status.config_hash.as_ref(), now);
    let wait = if status.is_true(condition::STALLED) {
        resync
    } else {
        [FRESH, YOUNG].into_iter().find(|(until, _)| age < *until).map_or(OLD_EVERY, |(_, every)| every)
    };
    retry_at.map_or(wait, |at| wait.min(at.saturating_duration_since(now).max(LEAST)))
}

impl Unsettled {
    /// How long this config has been rolling out. It starts at zero with each change, so that each is followed closely,
    /// however long the previous one has been waiting.
    fn age(&mut self, hash: Option<&String>, now: Instant) -> Duration {
        match &self.0 {
            Some((of, since)) if of.as_ref() == hash => now.saturating_duration_since(*since),
            _ => {
                self.0 = Some((hash.cloned(), now));
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(condition: &str, hash: &str) -> RoutingPolicyStatus {
        let condition = json!({"type": condition, "status": "True", "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json!({"configHash": hash, "conditions": [condition]})).expect("a status")
    }

    #[test]
    fn failures_double_the_wait_up_to_a_minute() {
        assert_eq!([1, 2, 5, 40].map(|failures| after_failures(failures).as_secs()), [1, 2, 16, 60]);
    }

    #[test]
    fn each_change_is_followed_closely_at_first() {
        let (start, resync, mut unsettled) = (Instant::now(), Duration::from_secs(30), Unsettled::default());
        let mut wait = |kind: &str, hash: &str, second: u64, retry: Option<u64>| {
            let at = |second| start + Duration::from_secs(second);
            after(&status(kind, hash), retry.map(at), resync, &mut unsettled, at(second)).as_millis()
        };
        for (kind, hash, second, retry, expected) in [
            ("Reconciling", "a", 0, None, 500),
            ("Reconciling", "a", 9, None, 500),
            ("Reconciling", "a", 10, None, 2_000),
            ("Reconciling", "a", 60, None, 15_000),
            ("Reconciling", "b", 61, None, 500),
            ("Stalled", "b", 62, None, 30_000),
            ("Stalled", "b", 63, Some(68), 5_000),
            ("Stalled", "b", 69, Some(68), 1_000),
            ("Ready", "b", 70, None, 30_000),
            ("Reconciling", "b", 200, None, 500),
        ] {
            assert_eq!(wait(kind, hash, second, retry), expected, "{kind} {hash} {second}");
        }
    }
}
