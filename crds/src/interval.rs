//! How far a pass rate can be trusted: its 95 % interval by Wilson's method, which also holds for few samples and for
//! rates near 0 and 1.

use serde::Serialize;

use crate::decimal::is_share;

/// The 97.5 % quantile of the normal distribution: two sides of 2.5 % leave 95 %.
pub const Z: f64 = 1.959_963_984_540_054;

/// Where the true rate is with a probability of 95 %. Both from 0 to 1.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The interval of a rate (from 0 to 1) of so many samples; none without samples or of what is no rate.
#[must_use]
pub fn wilson(rate: f64, samples: u64) -> Option<Interval> {
    if samples == 0 || !is_share(rate) {
        return None;
    }
    let number = samples as f64;
    let scale = 1.0 + Z * Z / number;
    let middle = rate + Z * Z / (2.0 * number);
    let half = Z * (rate * (1.0 - rate) / number + Z * Z / (4.0 * number * number)).sqrt();
    Some(Interval { low: ((middle - half) / scale).max(0.0), high: ((middle + half) / scale).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons_for_few_samples_and_at_both_ends() {
        for (pass, samples, low, high) in [
            (0, 10, 0.0, 0.2775),
            (10, 10, 0.7225, 1.0),
            (5, 10, 0.2366, 0.7634),
            (28, 41, 0.5302, 0.8044),
            (1, 1, 0.2065, 1.0),
            (900, 1000, 0.8798, 0.9171),
        ] {
            let interval = wilson(f64::from(pass) / samples as f64, samples).expect("an interval");
            let near = |found: f64, expected: f64| (found - expected).abs() < 0.000_05;
            assert!(near(interval.low, low) && near(interval.high, high), "{pass} of {samples}: {interval:?}");
        }
        assert_eq!([wilson(0.5, 0), wilson(1.5, 9), wilson(-0.1, 9), wilson(f64::NAN, 9)], [None; 4]);
    }
}
