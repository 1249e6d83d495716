//! Two stand-in models behind an OpenAI-compatible endpoint, so that routing can be seen before a model is installed.
//! No language model runs here, and every answer says so.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Stands for the local model.
pub const LOCAL: &str = "demo-local";
/// Stands for Claude.
pub const CLAUDE: &str = "demo-claude";

#[derive(Deserialize)]
struct Request {
    model: String,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
}

/// The endpoint's routes.
pub fn app() -> Router {
    Router::new().route("/v1/models", get(models)).route("/v1/chat/completions", post(completion))
}

async fn models() -> Json<Value> {
    let models = [LOCAL, CLAUDE].map(|id| json!({"id": id, "object": "model"}));
    Json(json!({"object": "list", "data": models}))
}

async fn completion(Json(request): Json<Request>) -> Response {
    if ![LOCAL, CLAUDE].contains(&request.model.as_str()) {
        let message = "no such model; use demo-local or demo-claude";
        let error = json!({"error": {"message": message, "type": "invalid_request_error"}});
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let prompt: usize = request.messages.iter().map(|message| message.content.len()).sum();
    let text = format!(
        "[{}: a stand-in, no language model ran] It received {} messages, {prompt} bytes in all. \
         Set LITELLM_BASE_URL to use real models.",
        request.model,
        request.messages.len()
    );
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "finish_reason": "stop", "message": message});
    Json(json!({"object": "chat.completion", "model": request.model, "choices": [choice]})).into_response()
}
