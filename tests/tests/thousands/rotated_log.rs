//! A log whose file is rotated while it is written, in both ways in which programs do that.

use std::{
    collections::HashSet,
    fs::{self, File},
    path::Path,
};

use serde_json::Value;
use tests::{
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

use super::{CALLS, DECIDED, calls, load_of};

/// Calls between two rotations.
const BETWEEN: usize = 50;

async fn started(models: &Models) -> Running {
    Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await
}

/// The ids of the records in a log. Each line of it is whole.
fn records(log: &str) -> HashSet<String> {
    let mut ids = HashSet::new();
    for line in log.lines() {
        let read: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        if line.contains(DECIDED) {
            assert!(ids.insert(read["id"].to_string()), "a record twice: {line}");
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_renamed_during_calls_loses_no_line() {
    let models = Models::start().await;
    let routing = started(&models).await;
    let [log, renamed] = ["log", "log.1"].map(|name| routing.folder().join(name));
    let mut answered = 0;
    let before = calls(&routing, load_of(&routing), |_, result| {
        assert!(!result.is_error(), "{result:?}");
        answered += 1;
        if answered == CALLS / 2 {
            fs::rename(&log, &renamed).expect("renamed");
        }
    })
    .await;
    let written = waiting::until("all records", || async {
        let written = fs::read_to_string(&renamed).expect("the log");
        (written.matches(DECIDED).count() >= CALLS && written.ends_with('\n')).then_some(written)
    })
    .await;
    assert_eq!(records(&written).len(), CALLS, "one record for each call");
    assert!(!log.exists(), "the open file is written on");
    drop(models);
    before.is_back(&routing).await;
}

/// As a program that rotates logs and cannot have them opened again. What is written between the copy and the end of the file
/// is lost, which no writer can prevent; of the last line it may have copied a part.
fn copy_and_truncate(log: &Path, copies: &mut String) {
    let copy = String::from_utf8_lossy(&fs::read(log).expect("a log")).into_owned();
    File::options().write(true).open(log).and_then(|log| log.set_len(0)).expect("truncated");
    copies.extend(copy.split_inclusive('\n').filter(|line| line.ends_with('\n')));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_copied_and_truncated_during_calls_fails_no_call_and_has_whole_lines() {
    let models = Models::start().await;
    let routing = started(&models).await;
    let log = routing.folder().join("log");
    let (mut copies, mut answered) = (String::new(), 0);
    let before = calls(&routing, load_of(&routing), |_, result| {
        assert!(!result.is_error(), "{result:?}");
        answered += 1;
        if answered % BETWEEN == 0 {
            copy_and_truncate(&log, &mut copies);
        }
    })
    .await;
    // The log goes on after its last rotation.
    let after = routing.mcp().debug("after").await.decisions("id").remove(0).to_string();
    let log = waiting::until("the last record", || async {
        let log = routing.log();
        (log.contains(&after) && log.ends_with('\n')).then_some(log)
    })
    .await;
    let copied = records(&(copies + &log)).len();
    println!("{copied} of {} records are in the copies and the log", CALLS + 1);
    assert!((1..=CALLS + 1).contains(&copied), "{copied}");
    assert_eq!(routing.metric("routing_log_lines_dropped_total").await, 0.0, "all were written");
    drop(models);
    before.is_back(&routing).await;
}
