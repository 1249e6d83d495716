//! A call that lasts: Claude Code looks every 30 s at when it last heard of one, and gives it up after
//! `CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT`. Our progress, every 15 s, is what it hears; a comment of the event stream is not.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tests::{
    claude_code::Headless,
    http,
    stand_in::{Server, messages::Reply},
    waiting,
};

use super::{ALLOWED, It, LAST, debug};

/// Longer than the time between two messages of progress, and over when Claude Code looks.
const IDLE_MS: &str = "25000";
/// Longer than the first 30 s.
const SLOW: &str = "takes-32-seconds";
/// Headers that belong to one connection.
const OF_A_CONNECTION: [&str; 3] = ["host", "content-length", "transfer-encoding"];

impl It {
    /// With this model, and a Claude Code of little patience.
    async fn impatient(model: &str) -> Self {
        let spec = json!({"models": {"local": {"name": model}}});
        let it = Self::with([debug("It panics."), Reply::text(LAST)], spec, json!({})).await;
        let claude = it.claude.variable("CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT", IDLE_MS);
        Self { claude, ..it }
    }

    async fn asks(&self) -> Headless {
        self.claude.headless("please debug", &ALLOWED).await
    }
}

/// In front of a data plane: passes everything on, and takes the wish for progress out of each call.
async fn without_progress(mcp_url: String) -> Server {
    Server::start(Router::new().fallback(pass_on).with_state(mcp_url)).await
}

async fn pass_on(State(url): State<String>, headers: HeaderMap, body: Bytes) -> Response {
    // What is no message is the question for a stream, which the data plane does not have.
    let Ok(mut message) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    };
    if let Some(meta) = message.pointer_mut("/params/_meta").and_then(Value::as_object_mut) {
        meta.remove("progressToken");
    }
    let passed = headers.iter().filter(|(name, _)| !OF_A_CONNECTION.contains(&name.as_str()));
    let request = passed.fold(http().post(url), |request, (name, value)| request.header(name, value));
    let Ok(answer) = request.body(message.to_string()).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    OF_A_CONNECTION.iter().for_each(|name| drop(headers.remove(*name)));
    (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_reports_progress_is_waited_for_longer_than_a_silent_one() {
    let (heard, silent) = tokio::join!(It::impatient(SLOW), It::impatient("hangs"));
    let between = without_progress(silent.routing.mcp_url()).await;
    silent.claude.mcp_http(&format!("{}/mcp", between.url()), json!({}));
    let (run, without) = tokio::join!(heard.asks(), silent.asks());

    assert_eq!((run.status.success(), run.result()), (true, LAST), "{}", run.stderr);
    let results = heard.model.last().results();
    let [result] = &results[..] else { panic!("{results:?}") };
    assert!(!result.is_error && result.texts[1] == format!("answer of {SLOW}"), "{result:?}");

    assert_eq!((without.server_status(), without.result()), ("connected", LAST), "{}", without.stderr);
    let results = silent.model.last().results();
    let [result] = &results[..] else { panic!("{results:?}") };
    assert!(result.is_error && result.text().contains("no response or progress"), "{result:?}");
    waiting::until_true("the caller went away", || async { silent.models.received()[0].abandoned }).await;
}
