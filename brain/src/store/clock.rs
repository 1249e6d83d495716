//! A clock that was set wrong: entries in the future do not count until they are past, and the log says so.

/// How far in the future an entry may be, in milliseconds: machines that write the same file differ a little.
pub(super) const TOLERANCE_MS: i64 = 5 * 60_000;

/// Remembers the newest entry, to notice that the clock has gone back.
#[derive(Default)]
pub(super) struct Newest {
    at_ms: i64,
    reported: bool,
}

impl Newest {
    /// `at_ms` is the time of the newest entry in the database.
    pub(super) fn new(at_ms: i64) -> Self {
        Self { at_ms, reported: false }
    }

    /// Takes note of the time; returns once by how many milliseconds the newest entry is ahead, if it is.
    pub(super) fn ahead(&mut self, now_ms: i64) -> Option<i64> {
        let ahead = self.at_ms - now_ms;
        if ahead <= TOLERANCE_MS {
            self.at_ms = self.at_ms.max(now_ms);
            self.reported = false;
            return None;
        }
        (!std::mem::replace(&mut self.reported, true)).then_some(ahead)
    }

    /// As [`Self::ahead`], and warns.
    pub(super) fn check(&mut self, now_ms: i64) {
        if let Some(ahead) = self.ahead(now_ms) {
            tracing::warn!(
                ahead_s = ahead / 1000,
                "the newest entry is in the future: the clock is or was wrong; such entries do not count until then"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_is_reported_once_with_its_offset() {
        let mut newest = Newest::new(0);
        assert_eq!(newest.ahead(1_000_000), None);
        assert_eq!(newest.ahead(1_000_000 - TOLERANCE_MS), None);
        assert_eq!(newest.ahead(0), Some(1_000_000));
        assert_eq!(newest.ahead(1), None, "once");
        assert_eq!((newest.ahead(1_000_000), newest.ahead(0)), (None, Some(1_000_000)), "again after it was right");
    }
}
