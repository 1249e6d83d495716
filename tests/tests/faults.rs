//! `tests/faults.toml` names a test for each fault of the data plane, and each of them exists; and why `make test` makes fewer
//! calls than a thousand of some cases.

use std::collections::BTreeSet;

use serde::Deserialize;
use tests::{
    calls::CALLS,
    checkout,
    sources::{self, Tests},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    fault: Vec<Fault>,
    fewer: Vec<Fewer>,
}

/// Cases of which `make test` makes fewer calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fewer {
    rows: Vec<u32>,
    file: String,
    calls: usize,
    why: String,
}

impl Faults {
    fn read() -> Self {
        let text = std::fs::read_to_string(checkout().join("tests/faults.toml")).expect("text");
        toml::from_str(&text).expect("TOML")
    }
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
    let faults = Faults::read().fault;
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

#[test]
fn each_count_of_fewer_calls_than_a_thousand_has_its_rows_and_its_reason() {
    let mut said = BTreeSet::new();
    for Fewer { rows, file, calls, why } in Faults::read().fewer {
        assert!(!why.is_empty() && calls < CALLS, "{file}: {calls} calls");
        assert!(!rows.is_empty() && rows.iter().all(|row| ROWS.contains(row)), "{file}: {rows:?}");
        said.insert((file, calls));
    }
    assert_eq!(said, sources::fewer_calls(), "what is said, and what the tests do");
}
