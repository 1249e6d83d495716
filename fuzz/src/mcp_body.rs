//! A body that is sent to `/mcp`: one JSON-RPC answer to each request, with its id, and none to anything else.

use axum::{body::Body, http::Request};
use serde_json::Value;

use crate::{brain::ask, text::assert_is_a_line};

/// Longest message of an error, in characters.
const MESSAGE_MAX: usize = 4_000;

/// The body.
pub fn check(input: &[u8]) {
    let request = Request::post("/mcp").header("host", "127.0.0.1").header("content-type", "application/json");
    // Without streams, which may stay open.
    let request = request.header("accept", "application/json");
    let answer = ask(request.body(Body::from(input.to_vec())).expect("a request"));
    assert!(!answer.status.is_server_error(), "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    if answer.body.is_empty() {
        assert_eq!(answer.status, 202, "only what is no request has no answer");
        return;
    }
    let answered: Value = serde_json::from_slice(&answer.body).expect("the answer is JSON");
    assert_eq!(answered["jsonrpc"], "2.0", "{answered}");
    assert!(answered.get("result").is_some() != answered.get("error").is_some(), "{answered}");
    if let Some(error) = answered.get("error") {
        assert!(error["code"].is_i64(), "{answered}");
        assert_is_a_line(error["message"].as_str().expect("a message"), MESSAGE_MAX);
    }
    let asked: Value = serde_json::from_slice(input).unwrap_or_default();
    if answered.get("result").is_some() {
        let number = |message: &Value| message["id"].as_f64();
        assert!(answered["id"] == asked["id"] || number(&answered) == number(&asked), "{answered}");
    }
}
