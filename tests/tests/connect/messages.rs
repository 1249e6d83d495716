//! Messages at the wrong moment, of the wrong form, and too many of them.

use std::fs;

use serde_json::{Value, json};
use tests::{
    Policy,
    connect::Connect,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

use super::{CANARY, read, repository, serving};

/// Requests that are worked on at the same time.
const AT_ONCE: usize = 64;

async fn hanging() -> (Models, Running) {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    (models, routing)
}

fn debug(id: u64) -> Value {
    let params = json!({"name": "debug", "arguments": {"problem": "x"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn cancelled(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

#[tokio::test]
async fn a_call_that_is_cancelled_at_once_has_no_answer_and_runs_nowhere() {
    let (models, routing) = hanging().await;
    let project = repository(&[("a", "a")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    for id in 1..=20 {
        it.send(&debug(100 + id)).await;
        it.send(&cancelled(100 + id)).await;
    }
    it.send(&json!({"jsonrpc": "2.0", "id": "after", "method": "tools/list"})).await;
    assert_eq!(it.next().await["id"], "after", "of a cancelled call nothing is said");
    waiting::until_true("the models are left alone", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
}

#[tokio::test]
async fn more_requests_than_are_worked_on_at_once_are_told_so() {
    let (_models, routing) = hanging().await;
    let project = repository(&[("a", "a")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    for id in 0..AT_ONCE as u64 + 3 {
        it.send(&debug(id)).await;
    }
    for id in AT_ONCE as u64..AT_ONCE as u64 + 3 {
        let busy = it.next().await;
        let said = "routing connect is already working on 64 requests; call again in a moment";
        assert_eq!((&busy["id"], &busy["error"]["message"]), (&json!(id), &json!(said)), "{busy}");
    }
    let ended = it.hang_up().await;
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_it_running() {
    let (_models, routing) = serving().await;
    let project = repository(&[("a", "a")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    // More answers than a pipe holds.
    for id in 0..60 {
        it.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"})).await;
    }
    let ended = it.hang_up().await;
    assert!(ended.code().is_some(), "it ended by itself: {ended}");
}

#[tokio::test]
async fn what_has_the_wrong_form_is_an_error_or_does_not_matter() {
    let (_models, routing) = serving().await;
    let project = repository(&[("a", "a")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    for wrong in [json!([debug(1)]), json!([]), json!(1), json!(null)] {
        it.send(&wrong).await;
        let said = it.next().await;
        assert_eq!((&said["id"], &said["error"]["code"]), (&Value::Null, &json!(-32600)), "{wrong}: {said}");
        assert_eq!(said["error"]["message"], "send one message, an object, per line");
    }
    for meta in [json!("text"), json!(null), json!([1])] {
        let mut call = debug(7);
        call["params"]["_meta"] = meta.clone();
        it.send(&call).await;
        let answer = it.next().await;
        assert_eq!(answer["result"]["content"][1]["text"], "answer of l", "{meta}: {answer}");
    }
}

/// Until the client has said which folders may be read nothing is read, and of other machines' folders nothing is.
#[tokio::test]
async fn a_call_waits_for_roots_that_come_late_and_reads_of_no_foreign_ones() {
    let (models, routing) = serving().await;
    let project = repository(&[("a.rs", CANARY), ("sub/b.rs", "fn b() {}\n")]);
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &[]);
    it.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
        "capabilities": {"roots": {}}, "clientInfo": {"name": "tests", "version": "1"}}}))
        .await;
    it.next().await;
    it.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    let asked = it.next().await;
    let review = |id: u64| {
        let params = json!({"name": "code_review", "arguments": {"files": ["a.rs", "b.rs"]}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
    };
    it.send(&review(1)).await;
    let unsaid = it.next().await["result"].clone();
    let why = "code_review: the client has not said which folders may be read (roots/list); call again";
    assert_eq!((&unsaid["isError"], &unsaid["content"][0]["text"]), (&json!(true), &json!(why)), "{unsaid}");
    it.send(&review(2)).await;
    let root = format!("file://{}/sub", project.path().display());
    it.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": [{"uri": root}]}})).await;
    let late = it.next().await;
    assert_eq!((&late["id"], &late["result"]["content"][2]["text"]), (&json!(2), &json!("answer of l")), "{late}");
    assert!(read(&models).contains("fn b() {}") && !read(&models).contains(CANARY), "{}", read(&models));

    it.send(&json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})).await;
    let asked = it.next().await;
    let foreign = json!({"roots": [{"uri": "https://elsewhere.example/x"}, {"uri": "vscode-vfs://github/x"}]});
    it.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": foreign})).await;
    it.send(&review(3)).await;
    let none = it.next().await["result"]["content"][0]["text"].clone();
    assert_eq!(none, "code_review: none of the client's roots is a folder of this machine");
}

/// A client that was started by a hook of Git has its variables, which name another repository.
#[tokio::test]
async fn variables_of_git_lead_to_no_other_repository() {
    let (models, routing) = serving().await;
    let (project, other) = (repository(&[("a.rs", "fn old() {}\n")]), repository(&[("a.rs", "old\n")]));
    fs::write(project.path().join("a.rs"), "fn new() {}\n").expect("written");
    fs::write(other.path().join("a.rs"), CANARY).expect("written");
    let (folder, tree) = (other.path().join(".git"), other.path().display().to_string());
    let index = folder.join("index").display().to_string();
    let folder = folder.display().to_string();
    let variables = [("GIT_DIR", &*folder), ("GIT_WORK_TREE", &tree), ("GIT_INDEX_FILE", &index)];
    let mut it = Connect::start(&routing.mcp_url(), project.path(), &variables);
    let reviewed = it.call("code_review", json!({})).await;
    assert!(!reviewed.is_error(), "{reviewed:?}");
    assert!(read(&models).contains("+fn new() {}") && !read(&models).contains(CANARY), "{}", read(&models));
}
