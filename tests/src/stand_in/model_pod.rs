//! Stands in for language models in a cluster: answers every call, at once or after the time that its prompt names.
//! No language model runs.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// In a prompt, before a number: the answer takes this many milliseconds.
const AFTER: &str = "answer-after-ms-";
/// In a prompt, before a number that the answer repeats: a caller sees that it is the answer to its own call.
pub const CALL: &str = "call-";
/// In the API key of a call, before a number that the answer repeats.
pub const KEY: &str = "key-";
/// Variable with a text that every answer ends with: a test makes the model good or bad by it.
pub const SAYS: &str = "STAND_IN_SAYS";
/// Longest time before an answer.
const AFTER_MAX: Duration = Duration::from_secs(120);

/// The text that makes an answer take this long.
#[must_use]
pub fn after(time: Duration) -> String {
    format!("{AFTER}{}", time.as_millis())
}

/// Serves until the process ends.
///
/// # Errors
/// If accepting connections fails.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(|| async { json!({"object": "list", "data": []}).to_string() }));
    axum::serve(listener, routes).await
}

async fn complete(headers: HeaderMap, body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let messages = request["messages"].as_array().into_iter().flatten();
    let prompt: String = messages.filter_map(|message| message["content"].as_str()).collect();
    tokio::time::sleep(Duration::from_millis(number_behind(AFTER, &prompt).unwrap_or_default()).min(AFTER_MAX)).await;
    let call = number_behind(CALL, &prompt).map(|number| format!(" {CALL}{number}")).unwrap_or_default();
    let key = headers.get(header::AUTHORIZATION).and_then(|value| number_behind(KEY, value.to_str().ok()?));
    let key = key.map(|number| format!(" {KEY}{number}")).unwrap_or_default();
    let model = request["model"].as_str().unwrap_or_default();
    let says = std::env::var(SAYS).map(|says| format!(" {says}")).unwrap_or_default();
    let content = format!("[a stand-in for {model}, no language model ran]{call}{key}{says}");
    let answer = json!({"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    answer.to_string().into_response()
}

fn number_behind(mark: &str, text: &str) -> Option<u64> {
    let behind = text.split_once(mark)?.1;
    let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_after_their_marks() {
        let prompt = format!("please {} for call-17: thanks", after(Duration::from_secs(2)));
        assert_eq!(number_behind(AFTER, &prompt), Some(2_000));
        assert_eq!(number_behind(CALL, &prompt), Some(17));
        assert_eq!(number_behind(CALL, "call-me"), None);
        assert_eq!(number_behind(CALL, "nothing"), None);
    }
}
