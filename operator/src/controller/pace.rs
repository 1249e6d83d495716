//! How long until the next look.

use std::time::{Duration, Instant};

use crds::policy::{RoutingPolicyStatus, condition};
use kube::runtime::controller::Action;

use super::{
    apply::Applied,
    memory::Memory,
};

/// The longest wait after failed looks.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The first and the longest wait before a refused child is sent again.
const REFUSED_FIRST: Duration = Duration::from_secs(5);
const REFUSED_MAX: Duration = Duration::from_secs(300);
/// Whatever is remembered, a look follows another after this long at the earliest.
const REFUSED_LEAST: Duration = Duration::from_secs(1);
/// While a change is on its way: until the first age each so often, until the second each so often, then rarely.
const FRESH: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(500));
const YOUNG: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));
const OLD_EVERY: Duration = Duration::from_secs(15);

/// The wait after this many failed looks in a row: 1 s, 2 s, 4 s, … 60 s.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    doubled(Duration::from_secs(1), failures, BACKOFF_MAX)
}

/// The wait after this many refusals in a row: 5 s, 10 s, 20 s, … 5 min.
#[must_use]
pub fn refusal_backoff(times: u32) -> Duration {
    doubled(REFUSED_FIRST, times, REFUSED_MAX)
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.saturating_sub(1).min(16)).min(most)
}

/// When to look again, though nothing changed meanwhile.
pub fn next_look(status: &RoutingPolicyStatus, applied: &Applied, resync: Duration, memory: &mut Memory) -> Action {
    if status.is_true(condition::READY) {
        memory.unsettled_since = None;
        return Action::requeue(resync);
    }
    // Each change is followed closely, however long the one before has been waiting.
    let change = status.config_hash.clone();
    if memory.unsettled_since.as_ref().is_none_or(|(of, _)| *of != change) {
        memory.unsettled_since = Some((change, Instant::now()));
    }
    let age = memory.unsettled_since.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
    let mut wait = [FRESH, YOUNG].into_iter().find(|(until, _)| age < *until).map_or(OLD_EVERY, |(_, every)| every);
    if status.is_true(condition::STALLED) {
        wait = resync;
    }
    // A refused child is sent again when its time has come.
    if !applied.problems.is_empty() {
        let times = memory.refused.values().map(|refused| refused.again_at.saturating_duration_since(Instant::now()));
        wait = times.min().map_or(wait, |time| wait.min(time.max(REFUSED_LEAST)));
    }
    Action::requeue(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let seconds = |waits: [u32; 4]| waits.map(|times| (backoff(times).as_secs(), refusal_backoff(times).as_secs()));
        assert_eq!(seconds([1, 2, 5, 40]), [(1, 5), (2, 10), (16, 80), (60, 300)]);
    }
}
