//! `tests/faults.toml` names a test for each fault of the data plane, and each of them exists.

use serde::Deserialize;
use tests::{checkout, sources::Tests};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    row: u32,
    what: String,
    tests: Vec<String>,
    #[serde(default)]
    open: String,
}

/// Rows of the data plane and the brain.
const ROWS: std::ops::RangeInclusive<u32> = 28..=53;

#[test]
fn every_fault_names_tests_that_exist() {
    let text = std::fs::read_to_string(checkout().join("tests/faults.toml")).expect("text");
    let Faults { fault: faults } = toml::from_str(&text).expect("TOML");
    assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), ROWS.collect::<Vec<_>>(), "one entry each");
    let existing = Tests::of_this_checkout();
    for Fault { row, what, tests, open } in faults {
        assert!(tests.iter().any(|test| existing.here.contains(test)), "{row} ({what}) has no test without a cluster");
        for test in tests {
            assert!(existing.has(&test), "{row} ({what}): {test} is not a test");
        }
        if !open.is_empty() {
            println!("{row} ({what}): no test yet for {open}");
        }
    }
}
