//! Stands in for the Responses API, so that the real Codex runs with a model that answers by a script: the first request
//! gets a call of a tool, each later one [`DONE`].

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Json, Router, extract::State, http::header, response::IntoResponse, routing::post};
use serde_json::{Value, json};

use super::Server;

/// What the model says in the end.
pub const DONE: &str = "all is said";
/// More requests than any test makes are not kept.
const MOST_KEPT: usize = 50;

struct Heard {
    call: Value,
    requests: Vec<Value>,
}

type Shared = Arc<Mutex<Heard>>;

/// The running stand-in.
pub struct ResponsesApi {
    server: Server,
    heard: Shared,
}

impl ResponsesApi {
    /// Its model calls this tool of the MCP server `routing`.
    pub async fn that_calls(tool: &str, arguments: &Value) -> Self {
        let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "namespace": "mcp__routing",
            "name": tool, "arguments": arguments.to_string()});
        let heard = Arc::new(Mutex::new(Heard { call, requests: vec![] }));
        let app = Router::new().route("/v1/responses", post(answer)).with_state(Arc::clone(&heard));
        Self { server: Server::start(app).await, heard }
    }

    /// Its base URL, as Codex has it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// What the model got as the result of its call.
    #[must_use]
    pub fn result(&self) -> String {
        let input = self.requests().last().map(|request| request["input"].clone()).unwrap_or_default();
        let items = input.as_array().into_iter().flatten();
        let outputs = items.filter(|item| item["type"] == "function_call_output").map(|item| item["output"].clone());
        outputs.map(|output| output.as_str().map_or_else(|| output.to_string(), String::from)).collect()
    }
}

async fn answer(State(heard): State<Shared>, Json(request): Json<Value>) -> impl IntoResponse {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let said = json!({"type": "message", "id": "m_1", "role": "assistant",
        "content": [{"type": "output_text", "text": DONE}]});
    let item = if heard.requests.is_empty() { heard.call.clone() } else { said };
    if heard.requests.len() < MOST_KEPT {
        heard.requests.push(request);
    }
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2});
    let events = [
        json!({"type": "response.created", "response": {"id": "r_1"}}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": {"id": "r_1", "usage": usage}}),
    ];
    let stream: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
        .collect();
    ([(header::CONTENT_TYPE, "text/event-stream")], stream)
}
