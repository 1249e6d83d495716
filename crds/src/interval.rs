//! How far a pass rate can be trusted: the interval that it lies in, given how often it was measured.

/// The normal quantile of a 95 % interval.
const Z: f64 = 1.96;

/// Wilson's 95 % interval of the true pass rate after `passes` of `samples`: both ends from 0 to 1, the lower first. None
/// without samples, and if there are more passes than samples.
#[must_use]
pub fn wilson(passes: u64, samples: u64) -> Option<(f64, f64)> {
    if samples == 0 || passes > samples {
        return None;
    }
    let (n, z2) = (samples as f64, Z * Z);
    let rate = passes as f64 / n;
    let centre = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    Some(((centre - half).clamp(0.0, 1.0), (centre + half).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        for (passes, samples, expected) in [
            (0, 0, None),
            (2, 1, None),
            (0, 1, Some((0.0, 0.7935))),
            (1, 1, Some((0.2065, 1.0))),
            (28, 41, Some((0.5302, 0.8044))),
            (81, 263, Some((0.2553, 0.3662))),
            (0, u64::MAX, Some((0.0, 0.0))),
            (u64::MAX, u64::MAX, Some((1.0, 1.0))),
        ] {
            let four = |x: f64| (x * 1e4).round() / 1e4;
            assert_eq!(
                wilson(passes, samples).map(|(low, high)| (four(low), four(high))),
                expected,
                "{passes}/{samples}"
            );
        }
    }
}
