//! Calls MCP as bare `curl` does: one POST, no session, no Accept header of its own.

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::http;

/// The four built-in skills' calls that must be valid (`contract`, part 6).
pub const CONTRACT_CALLS: [(&str, &str); 4] = [
    ("code_review", r#"{"project_root":"/tmp","files":["README.md"],"session_id":"s"}"#),
    ("debug", r#"{"project_root":"/tmp","problem":"text","session_id":"s"}"#),
    ("retrospective", r#"{"project_root":"/tmp","session_id":"s"}"#),
    ("trainer", r#"{"project_root":"/tmp","session_id":"s"}"#),
];

/// An MCP endpoint.
#[derive(Clone)]
pub struct Mcp {
    url: String,
    token: Option<String>,
}

impl Mcp {
    /// The endpoint at this URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.into(), token: None }
    }

    /// The same endpoint, called with a bearer token.
    #[must_use]
    pub fn token(&self, token: &str) -> Self {
        Self { url: self.url.clone(), token: Some(token.into()) }
    }

    /// A POST request; the test adds the body.
    pub fn post(&self) -> RequestBuilder {
        let request = http().post(&self.url).header("content-type", "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a JSON-RPC request.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn send(&self, method: &str, params: Value) -> Response {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post().body(body.to_string()).send().await.expect("an answer")
    }

    /// Calls a tool and returns the JSON-RPC message.
    ///
    /// # Panics
    /// If the answer is not 200 with JSON.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let response = self.send("tools/call", json!({"name": tool, "arguments": arguments})).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.expect("JSON")
    }

    /// Calls a tool and returns its result.
    ///
    /// # Panics
    /// If there is no result.
    pub async fn result(&self, tool: &str, arguments: Value) -> CallResult {
        let message = self.call(tool, arguments).await;
        CallResult(message.get("result").unwrap_or_else(|| panic!("no result: {message}")).clone())
    }

    /// Calls the tool `debug` with a problem.
    pub async fn debug(&self, problem: &str) -> CallResult {
        self.result("debug", json!({"project_root": "/tmp", "problem": problem})).await
    }

    /// The names of the tools.
    ///
    /// # Panics
    /// If they are not listed.
    pub async fn tools(&self) -> Vec<String> {
        let answer: Value = self.send("tools/list", json!({})).await.json().await.expect("JSON");
        let tools = answer["result"]["tools"].as_array().expect("a list").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_string()).collect()
    }
}

/// The result of a tool call.
#[derive(Debug)]
pub struct CallResult(pub Value);

impl CallResult {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.0["isError"] == json!(true)
    }

    /// The text of a content block; empty when there is none. The answer and its notes are counted first, and what is for
    /// the assistant alone, the decision line, after them.
    #[must_use]
    pub fn text(&self, block: usize) -> &str {
        let blocks = || self.0["content"].as_array().into_iter().flatten();
        let is_line = |block: &&Value| block["annotations"]["audience"] == json!(["assistant"]);
        let mut ordered = blocks().filter(|block| !is_line(block)).chain(blocks().filter(is_line));
        ordered.nth(block).and_then(|block| block["text"].as_str()).unwrap_or_default()
    }

    /// The values of a field in all decisions in `_meta`.
    #[must_use]
    pub fn decisions(&self, field: &str) -> Vec<Value> {
        let decisions = self.0["_meta"]["routing.hyperguild.io/decisions"].as_array();
        decisions.into_iter().flatten().map(|decision| decision[field].clone()).collect()
    }
}
