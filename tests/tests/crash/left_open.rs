//! The file of a brain that was killed is checked when it starts again, and what is wrong in it is named in log and metrics.

use serde_json::{Value, json};
use tests::{
    http,
    program::{Program, Running},
    waiting, wrong_bit,
};

const FILE: &str = "brain.db";
const SESSION: &str = "session";
const INDEX: &str = "entries_by_session";
/// So few that the index has one page.
const FEW: usize = 10;

async fn log_an_entry(brain: &Running) {
    let entry = json!({"skill": "debug", "final_status": "pass", "session_id": SESSION});
    let result = brain.mcp().result("session_log", entry).await;
    assert!(!result.is_error(), "{result:?}");
}

/// The first line of a log whose message has this in it.
async fn line(brain: &Running, part: &str) -> Value {
    let found = || {
        let log = brain.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut those = lines.filter(|line| line["message"].as_str().is_some_and(|message| message.contains(part)));
        std::future::ready(those.next())
    };
    waiting::until(part, found).await
}

async fn says(brain: &Running, damaged: u8) -> bool {
    let answer = http().get(format!("{}/metrics", brain.base_url())).send().await.expect("an answer");
    let metrics = answer.text().await.expect("text");
    metrics.lines().any(|line| line == format!("routing_brain_database_damaged {damaged}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bit_in_an_index_is_named_in_log_and_metrics_at_the_start_after_a_crash_and_cured_by_a_copy() {
    let mut brain = Program::brain().variable("BRAIN_DATABASE_URL", &format!("sqlite:{FILE}")).start().await;
    for _ in 0..FEW {
        log_an_entry(&brain).await;
    }
    brain.crash_and_restart().await;
    let sound = line(&brain, "it was checked, and is sound").await;
    assert!(sound["level"] == "INFO" && says(&brain, 0).await, "{sound}");
    brain.signal("INT");
    assert!(brain.ended().await.success());

    let file = brain.folder().join(FILE);
    wrong_bit::in_index(&file, INDEX, SESSION);
    // After an end that was no crash nobody looks for damage; after one, it is found.
    brain.crash_and_restart().await;
    log_an_entry(&brain).await;
    assert!(says(&brain, 0).await && !brain.log().contains("is damaged"));
    brain.crash_and_restart().await;
    let damaged = line(&brain, "the file is damaged; restore a backup").await;
    let text = |field: &str| damaged[field].as_str().unwrap_or_default().to_string();
    assert!(text("level") == "ERROR" && text("database").ends_with(FILE), "{damaged}");
    assert!(text("found").contains(INDEX) && text("found").len() <= 500, "{damaged}");
    assert!(text("message").contains("docs/operations.md, A damaged file"), "{damaged}");
    waiting::until_true("the metric", || says(&brain, 1)).await;
    log_an_entry(&brain).await;

    // As docs/operations.md says.
    brain.signal("INT");
    assert!(brain.ended().await.success());
    let arguments = ["brain", "copy", "--from", "sqlite:brain.db", "--to", "sqlite:whole.db"];
    let copied = tests::program::run(&arguments, &[], brain.folder());
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    std::fs::rename(brain.folder().join("whole.db"), &file).expect("in its place");
    let mut brain = brain.restarted_with(&[]).await;
    let sessions = tests::get_json(format!("{}/sessions/{SESSION}", brain.base_url())).await;
    assert_eq!(sessions["entries"].as_array().map(Vec::len), Some(FEW + 2), "each entry is found again: {sessions}");
    brain.crash_and_restart().await;
    waiting::until_true("the check", || {
        std::future::ready(brain.log().matches("it was checked, and is sound").count() == 2)
    })
    .await;
}
