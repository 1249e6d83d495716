//! Waits that double.

use std::time::Duration;

/// The wait after the attempt with this number, from 1: `first`, twice that, four times that, … at most `max`.
#[must_use]
pub fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(1 << times.saturating_sub(1).min(16)).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let seconds = |times| doubled(Duration::from_secs(5), times, Duration::from_secs(300)).as_secs();
        assert_eq!([0, 1, 2, 5, 40, u32::MAX].map(seconds), [5, 5, 10, 80, 300, 300]);
    }
}
