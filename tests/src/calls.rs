//! How many calls a case of a fault has: a thousand, unless that takes too long for every run of the tests.

use std::time::Instant;

/// Calls of a case.
pub const CALLS: usize = 1000;
/// 1: all calls are made of every case, as `make faults` does.
const FULL: &str = "FAULTS_FULL";

/// So many calls of a case in `make test`, and all of them in `make faults`. `tests/faults.toml` has the reason of each use.
#[must_use]
pub fn in_make_test(calls: usize) -> usize {
    if std::env::var(FULL).is_ok_and(|value| value == "1") { CALLS } else { calls }
}

/// Prints how many calls of a case were made since it began.
pub fn print(case: &str, calls: usize, began: Instant) {
    println!("{case}: {calls} calls in {:.1} s", began.elapsed().as_secs_f64());
}
