//! A body that is sent to `/mcp` of the data plane and of the brain: one JSON-RPC answer to each request, with its id, and
//! none to anything else.

use axum::{
    body::Body,
    http::{HeaderValue, Request},
};
use serde_json::Value;

use crate::{brain, data_plane, served::Answer, text::assert_is_a_line};

/// Longest message of an error, in characters.
const MESSAGE_MAX: usize = 4_000;
/// The version whose requests say in headers, too, what they are.
const MODERN: &str = "2026-07-28";
/// Its methods that are served, without the one that answers with a stream which may stay open.
const SERVED: [&str; 3] = ["tools/call", "tools/list", "server/discover"];

/// The body.
pub fn check(input: &[u8]) {
    let asked: Value = serde_json::from_slice(input).unwrap_or_default();
    for ask in [brain::ask as fn(Request<Body>) -> Answer, data_plane::ask] {
        assert_answers(&ask(request(input)), &asked);
        if let Some(request) = modern(&asked, input) {
            assert_answers(&ask(request), &asked);
        }
    }
}

fn request(input: &[u8]) -> Request<Body> {
    let request = Request::post("/mcp").header("host", "127.0.0.1").header("content-type", "application/json");
    // Without streams, which may stay open.
    let request = request.header("accept", "application/json");
    request.body(Body::from(input.to_vec())).expect("a request")
}

/// The same with the headers of the newest version, if it says that it is of that.
fn modern(asked: &Value, input: &[u8]) -> Option<Request<Body>> {
    let version = &asked["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    let method = asked["method"].as_str().filter(|method| SERVED.contains(method) && *version == MODERN)?;
    let mut request = request(input);
    let headers = request.headers_mut();
    headers.insert("mcp-protocol-version", HeaderValue::from_static(MODERN));
    headers.insert("mcp-method", HeaderValue::from_str(method).ok()?);
    if let Some(name) = asked["params"]["name"].as_str() {
        headers.insert("mcp-name", HeaderValue::from_str(name).ok()?);
    }
    Some(request)
}

fn assert_answers(answer: &Answer, asked: &Value) {
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
    if answered.get("result").is_some() {
        let number = |message: &Value| message["id"].as_f64();
        assert!(answered["id"] == asked["id"] || number(&answered) == number(asked), "{answered}");
    }
}
