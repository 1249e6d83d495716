//! JSON-RPC as clients get it wrong, and calls that take long.

use serde_json::{Value, json};
use tests::{Policy, http, program::Program, stand_in::models::Models, waiting, wrong_requests};

#[tokio::test]
async fn a_wrong_message_is_refused_by_its_member_with_its_id_by_data_plane_and_brain() {
    for program in [Program::serve().start().await, Program::brain().start().await] {
        for wrong in wrong_requests::messages() {
            let answer = wrong.request(&program.mcp_url()).send().await;
            let answer = answer.unwrap_or_else(|e| panic!("{}: {e}", wrong.what));
            let status = answer.status().as_u16();
            wrong.is_answered(status, &answer.text().await.expect("text"));
        }
        assert!(!program.mcp().tools().await.is_empty(), "right ones are answered");
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_the_name_of_its_encoding() {
    for program in [Program::serve().start().await, Program::brain().start().await] {
        for encoding in ["gzip", "br", "gzip, identity"] {
            let request = program.mcp().post().header("content-encoding", encoding).body(vec![0x1f, 0x8b, 8]);
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 415, "{encoding}");
            let answer: Value = response.json().await.expect("JSON");
            assert!(answer["error"]["message"].as_str().is_some_and(|m| m.contains(encoding)), "{answer}");
        }
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let plain = program.mcp().post().header("content-encoding", "identity").body(list);
        assert_eq!(plain.send().await.expect("an answer").status(), 200);
    }
}

#[tokio::test]
async fn a_caller_that_reads_event_streams_has_the_head_while_the_model_works() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("waits")).start().await;
    let arguments = json!({"project_root": "/tmp", "problem": "x"});
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "debug", "arguments": arguments}});
    let post = |accept: &str| {
        http().post(routing.mcp_url()).header("content-type", "application/json").header("accept", accept)
    };
    let both = post("application/json, text/event-stream").body(call.to_string());
    // The head is here although the model is held up.
    let mut response = both.send().await.expect("a head");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    waiting::until_true("the model to be asked", || async { models.asked().len() == 1 }).await;
    models.release();
    let mut text = String::new();
    while let Some(bytes) = response.chunk().await.expect("a chunk") {
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    let event = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("{text}"));
    let message: Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(message["result"]["content"][1]["text"], "answer of waits");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let quick = post("application/json, text/event-stream").body(list).send().await.expect("an answer");
    assert_eq!(quick.headers()["content-type"], "application/json", "what is there at once stays JSON");
}

#[tokio::test]
async fn a_caller_that_leaves_its_event_stream_ends_the_call() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("waits")).start().await;
    let arguments = json!({"project_root": "/tmp", "problem": "x"});
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "debug", "arguments": arguments}});
    let request = routing.mcp().post().header("accept", "application/json, text/event-stream").body(call.to_string());
    let response = request.send().await.expect("a head");
    waiting::until_true("a call in flight", || async { routing.metric("routing_in_flight_calls").await == 1.0 }).await;
    drop(response);
    waiting::until_true("no call in flight", || async { routing.metric("routing_in_flight_calls").await == 0.0 }).await;
}
