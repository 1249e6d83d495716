//! Whether what a process holds grows: many readings of it, the second half beside the first.

/// Readings that do not count: connections are opened, caches are filled.
const WARM_UP: usize = 2;
/// What the second half may have of the first.
const FACTOR: f64 = 1.15;

/// Which of the readings of a half stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The middle one: a load that swings moves it little, and what leaks moves it as much as all others.
    Median,
    /// The highest, of what has a bound of its own.
    Most,
}

impl By {
    fn of(self, readings: &[f64]) -> f64 {
        let mut sorted = readings.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = match self {
            Self::Median => sorted.len() / 2,
            Self::Most => sorted.len().saturating_sub(1),
        };
        sorted.get(at).copied().unwrap_or_default()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::Most => "at most",
        }
    }
}

/// One line: what stands for each half of the readings, the most of each, and whether that is flat; `spare` is what the
/// second half may have besides its share of the first.
#[must_use]
pub fn judged(what: &str, readings: &[f64], by: By, spare: f64) -> String {
    let half = readings.len() / 2;
    let (Some(before @ [_, ..]), Some(after)) = (readings.get(WARM_UP..half), readings.get(half..)) else {
        return format!("{what}: {} readings are too few to say whether it grows", readings.len());
    };
    let ([first, second], [most_before, most_after]) =
        ([before, after].map(|half| by.of(half)), [before, after].map(|half| By::Most.of(half)));
    let verdict = if second <= first * FACTOR + spare { "flat" } else { "NOT flat" };
    format!(
        "{what}: {} {first:.1} in the first half and {second:.1} in the second, never above {:.1}: {verdict}",
        by.word(),
        most_before.max(most_after)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten readings.
    fn of(reading: impl Fn(u32) -> f64, by: By) -> String {
        judged("memory", &(0..10).map(reading).collect::<Vec<_>>(), by, 0.0)
    }

    #[test]
    fn what_swings_is_flat_and_what_grows_is_not() {
        let swings = of(|i| if i % 3 == 0 { 40.0 } else { 28.0 }, By::Median);
        assert_eq!(swings, "memory: median 28.0 in the first half and 28.0 in the second, never above 40.0: flat");
        for by in [By::Median, By::Most] {
            let grows = |i: u32| 28.0 + 2.0 * f64::from(i);
            assert!(of(grows, by).ends_with(": NOT flat"), "{by:?}");
            assert!(of(|i| if i < 2 { 90.0 } else { grows(i) }, by).ends_with(": NOT flat"), "the first hide nothing");
        }
    }

    #[test]
    fn what_has_a_bound_of_its_own_may_grow_by_it_and_few_readings_say_nothing() {
        let readings: Vec<f64> = (0..10).map(|i| if i < 5 { 20.0 } else { 30.0 }).collect();
        assert!(judged("brain", &readings, By::Most, 0.0).ends_with(": NOT flat"));
        assert!(judged("brain", &readings, By::Most, 10.0).ends_with(": flat"));
        for few in 0..6 {
            assert!(judged("brain", &readings[..few], By::Most, 0.0).contains("too few"), "{few}");
        }
    }
}
