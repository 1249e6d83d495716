//! What a load measured.

use std::time::Duration;

/// The times of calls, from when each should have begun to the end of its answer.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    sorted: Vec<Duration>,
    first: Option<Duration>,
    /// Calls without an answer, or with a wrong one.
    pub failed: u64,
    /// Calls that the generator began more than 5 ms late, because it had no processor.
    pub late: u64,
}

impl Measured {
    /// Calls that were all answered, in these times.
    #[must_use]
    pub fn of(times: Vec<Duration>) -> Self {
        Self::new(times, None, 0, 0)
    }

    pub(super) fn new(mut times: Vec<Duration>, first: Option<Duration>, failed: u64, late: u64) -> Self {
        times.sort_unstable();
        Self { sorted: times, first, failed, late }
    }

    /// When the first answer came, after the beginning of the load; none: there was no answer.
    #[must_use]
    pub fn first(&self) -> Option<Duration> {
        self.first
    }

    /// How many calls were answered.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.sorted.len()
    }

    /// The time that this share of the calls did not exceed, by the nearest rank; zero if there was no answer.
    #[must_use]
    pub fn at(&self, share: f64) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let rank = (self.sorted.len() as f64 * share).ceil() as usize;
        self.sorted.get(rank.clamp(1, self.sorted.len().max(1)) - 1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times_are_by_the_nearest_rank() {
        let times = (1..=1000).rev().map(Duration::from_millis).collect();
        let measured = Measured::new(times, None, 0, 0);
        for (share, millis) in [(0.0, 1), (0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            assert_eq!(measured.at(share).as_millis(), millis, "{share}");
        }
        assert_eq!(Measured::default().at(0.5), Duration::ZERO);
    }
}
