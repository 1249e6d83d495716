//! A span of time as full minutes, hours and days, so that a sum over it reads few rows.

use super::{counts::WIDTHS, floor_to};

/// Rows of one width from a start up to an end, which is not part of it.
pub(super) type Segment = (i64, i64, i64);

/// From the minute of a time up to the end of the minute of another, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: i64,
    until: i64,
}

impl Span {
    pub(super) fn new(from_ms: i64, until_ms: i64) -> Self {
        let [minute, ..] = WIDTHS;
        let from = floor_to(from_ms.max(0), minute);
        Self { from, until: (floor_to(until_ms, minute) + minute).max(from) }
    }

    /// The span of this length that ends where another begins.
    pub(super) fn before(since_ms: i64, length_ms: i64) -> Self {
        let [minute, ..] = WIDTHS;
        let until = floor_to(since_ms, minute);
        Self { from: floor_to(since_ms.saturating_sub(length_ms).max(0), minute).min(until), until }
    }

    /// Days in the middle, hours beside them, minutes at both ends; empty ones where there is none.
    pub(super) fn segments(&self) -> [Segment; 5] {
        let [minute, hour, day] = WIDTHS;
        let Self { from, until } = *self;
        let inner = |(from, until): (i64, i64), width: i64| {
            let (first, last) = (floor_to(from + width - 1, width), floor_to(until, width));
            if first < last { (first, last) } else { (until, until) }
        };
        let hours = inner((from, until), hour);
        let days = inner(hours, day);
        [
            (minute, from, hours.0),
            (hour, hours.0, days.0),
            (day, days.0, days.1),
            (hour, days.1, hours.1),
            (minute, hours.1, until),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = WIDTHS[2];

    proptest! {
        #[test]
        fn the_segments_cover_every_minute_once(from in 0..3 * DAY, length in 0..5 * DAY) {
            let span = Span::new(from, from + length);
            let mut at = span.from;
            for (width, start, end) in span.segments() {
                if start == end {
                    continue;
                }
                prop_assert_eq!(start, at);
                prop_assert!(start < end && start % width == 0 && end % width == 0);
                at = end;
            }
            prop_assert_eq!(at, span.until);
            let minutes: i64 = span.segments().iter().filter(|(width, ..)| *width == WIDTHS[0]).map(|(_, a, b)| (b - a) / WIDTHS[0]).sum();
            prop_assert!(minutes <= 120);
        }
    }
}
