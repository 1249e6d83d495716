//! How far back a request asks.

use std::time::Duration;

use crds::{period::Period, shown::printable};

/// Longest query value that an error repeats, in characters.
const SHOWN: usize = 64;

/// The length of a window, or what is wrong with it.
pub(super) fn length(window: &str) -> Result<Duration, String> {
    Period::from_text(window).duration().map_err(|_| {
        let shown = printable(window, SHOWN);
        format!("window={shown}: must be a whole number with a unit (ms, s, m, h, d), for example 7d")
    })
}
