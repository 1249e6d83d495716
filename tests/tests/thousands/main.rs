//! What holds for one call holds for a thousand (`tests/faults.toml`, rows 35, 36, 38, 39, 44, 47 and 50).

mod broken_log;
mod cancelled;
mod gone;
mod held_rate;
mod infrastructure;
mod kept_local;
mod largest_record;
mod replicas;
mod rotated_log;
mod undelivered;

use std::collections::HashSet;

use tests::{
    load::{Got, Load},
    mcp::CallResult,
    program::Running,
};

/// Calls of a test.
const CALLS: usize = 1000;
/// Of them at a time: fewer than one address may have connections where a process has 1024 descriptors.
const AT_A_TIME: usize = 100;
/// In the log line of a model call's record.
const DECIDED: &str = r#""message":"decided""#;

/// Makes a thousand calls. Each has one result, which is handed over.
async fn calls(load: &Load, mut each: impl FnMut(usize, &CallResult)) {
    let mut answered = HashSet::new();
    load.calls(0..CALLS, AT_A_TIME, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert!(answered.insert(number), "call {number} has two answers");
        each(number, &result);
    })
    .await;
    assert_eq!(answered.len(), CALLS);
}

/// Calls of a program's endpoint.
fn load_of(routing: &Running) -> Load {
    Load::of(&routing.mcp_url())
}
