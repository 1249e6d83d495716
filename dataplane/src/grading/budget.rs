//! How many judgements an hour may have. No I/O.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The period that a budget is for, whenever it begins.
const HOUR: Duration = Duration::from_secs(3600);

/// When judgements of a skill began, within the last hour.
#[derive(Default)]
pub(super) struct Budget(VecDeque<Instant>);

impl Budget {
    /// Takes one judgement if fewer than `most` began within the last hour.
    pub(super) fn take(&mut self, most: usize, now: Instant) -> bool {
        let left = self.taken(now) < most;
        if left {
            self.0.push_back(now);
        }
        left
    }

    /// How many began within the last hour.
    pub(super) fn taken(&mut self, now: Instant) -> usize {
        while self.0.front().is_some_and(|began| now.saturating_duration_since(*began) >= HOUR) {
            self.0.pop_front();
        }
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_hour_ever_has_more_judgements_than_the_budget(
            steps in prop::collection::vec((0_u64..2000, 1_usize..8), 1..300),
        ) {
            let (mut budget, start, mut at) = (Budget::default(), Instant::now(), 0);
            let mut taken: Vec<(u64, usize)> = vec![];
            for (step, most) in steps {
                at += step;
                // A reload may change the budget at any time.
                if budget.take(most, start + Duration::from_secs(at)) {
                    taken.push((at, most));
                }
            }
            for (i, (end, most)) in taken.iter().enumerate() {
                let within = taken[..=i].iter().filter(|(began, _)| end - began < 3600).count();
                prop_assert!(within <= *most, "{within} of {most} in the hour up to {end}");
            }
        }
    }

    #[test]
    fn a_budget_is_used_up_and_comes_back_after_an_hour() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        assert_eq!([0, 1, 2].map(|s| budget.take(2, start + Duration::from_secs(s))), [true, true, false]);
        assert_eq!([3599, 3600, 3600].map(|s| budget.take(2, start + Duration::from_secs(s))), [false, true, false]);
    }
}
