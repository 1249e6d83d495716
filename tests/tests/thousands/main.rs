//! What holds for one call holds for a thousand (`tests/faults.toml`, rows 35, 36, 38, 39, 44, 47, 49 and 50).

mod broken_log;
mod cancelled;
mod gone;
mod held_rate;
mod infrastructure;
mod kept_local;
mod largest_record;
mod memory;
mod replicas;
mod rotated_log;
mod undelivered;

use std::{collections::HashSet, ops::Range};

use tests::{
    at_rest::AtRest,
    load::{Got, Load},
    mcp::CallResult,
    program::Running,
};

/// Calls of a test.
const CALLS: usize = 1000;
/// The first of them, after which memory has been taken that is kept.
const FIRST: usize = CALLS / 5;
/// Calls at a time: fewer than one address may have connections where a process has 1024 descriptors.
const AT_A_TIME: usize = 100;
/// In the log line of a model call's record.
const DECIDED: &str = r#""message":"decided""#;

/// Makes a thousand calls. Each has one result, which is handed over. Returns what the program must be back at.
async fn calls(routing: &Running, load: Load, mut each: impl FnMut(usize, &CallResult)) -> AtRest {
    let before = AtRest::of(routing).await;
    some_calls(&load, 0..FIRST, &mut each).await;
    let before = before.warm(routing).await;
    some_calls(&load, FIRST..CALLS, &mut each).await;
    before
}

async fn some_calls(load: &Load, numbers: Range<usize>, each: &mut impl FnMut(usize, &CallResult)) {
    let mut answered = HashSet::new();
    let count = numbers.len();
    load.calls(numbers, AT_A_TIME, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert!(answered.insert(number), "call {number} has two answers");
        each(number, &result);
    })
    .await;
    assert_eq!(answered.len(), count);
}

/// Calls of a program's endpoint.
fn load_of(routing: &Running) -> Load {
    Load::of(&routing.mcp_url())
}
