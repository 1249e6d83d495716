//! Stands in for language models behind an OpenAI-compatible endpoint. The model's name says how it behaves, and that of
//! `says:TEXT` what it answers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Server;

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path of its URL.
    pub path: String,
    /// Its headers, with the API key in `authorization`.
    pub headers: HeaderMap,
    /// The chat completion request; null if it is not JSON.
    pub body: Value,
    /// Whether the caller went away before the answer.
    pub abandoned: bool,
}

impl Received {
    /// The model that was asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// The text of a message.
    #[must_use]
    pub fn message(&self, i: usize) -> &str {
        self.body["messages"][i]["content"].as_str().unwrap_or_default()
    }
}

type Log = Arc<Mutex<Vec<Received>>>;

/// Requests of one model that are being answered.
#[derive(Clone, Copy, Default)]
struct Busy {
    now: usize,
    most: usize,
}

#[derive(Clone, Default)]
struct Shared {
    log: Log,
    release: Arc<Notify>,
    well: Arc<AtomicBool>,
    busy: Arc<Mutex<BTreeMap<String, Busy>>>,
}

/// The running stand-in.
pub struct Models {
    server: Server,
    state: Shared,
}

impl Models {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        Self::start_with(Router::new()).await
    }

    /// Starts it with an answer to `GET /v1/models`: its status, and the body.
    ///
    /// # Panics
    /// If the status is none.
    pub async fn start_listing(status: u16, body: Value) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        let list = move || async move { (status, body.to_string()) };
        Self::start_with(Router::new().route("/v1/models", get(list))).await
    }

    async fn start_with(more: Router) -> Self {
        let state = Shared::default();
        let routes = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/below/v1/chat/completions", post(complete))
            // Prompts are as large as they are.
            .layer(DefaultBodyLimit::disable())
            .with_state(state.clone());
        Self { server: Server::start(routes.merge(more)).await, state }
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Answers the waiting calls of the models `waits`, `waits-long` and `ill-and-slow`.
    pub fn release(&self) {
        self.state.release.notify_waiters();
    }

    /// Lets the models `ill` and `ill-and-slow` answer from now on.
    pub fn heal(&self) {
        self.state.well.store(true, Ordering::Relaxed);
    }

    /// The most requests of a model that were being answered at the same time since this was last asked.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn most_at_once(&self, model: &str) -> usize {
        let mut busy = self.state.busy.lock().expect("no handler panics");
        let Some(busy) = busy.get_mut(model) else { return 0 };
        std::mem::replace(&mut busy.most, busy.now)
    }

    /// The requests so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.state.log.lock().expect("no handler panics").clone()
    }

    /// The models of the requests so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.received().iter().map(|request| request.model().to_string()).collect()
    }
}

/// Marks the request as abandoned if it is dropped before the answer.
struct Pending {
    busy: Arc<Mutex<BTreeMap<String, Busy>>>,
    model: String,
    log: Log,
    index: usize,
    answered: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Ok(mut busy) = self.busy.lock() {
            busy.entry(self.model.clone()).or_default().now -= 1;
        }
        if !self.answered
            && let Ok(mut log) = self.log.lock()
        {
            log[self.index].abandoned = true;
        }
    }
}

async fn complete(State(state): State<Shared>, uri: axum::http::Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let received = Received { path: uri.path().into(), headers, body, abandoned: false };
    let model = received.model().to_string();
    let index = {
        let mut log = state.log.lock().expect("no handler panics");
        log.push(received);
        log.len() - 1
    };
    {
        let mut busy = state.busy.lock().expect("no handler panics");
        let busy = busy.entry(model.clone()).or_default();
        busy.now += 1;
        busy.most = busy.most.max(busy.now);
    }
    let busy = Arc::clone(&state.busy);
    let mut pending = Pending { busy, model: model.clone(), log: Arc::clone(&state.log), index, answered: false };
    let response = behave(&model, &state).await;
    pending.answered = true;
    response
}

async fn behave(model: &str, state: &Shared) -> Response {
    match model {
        "hangs" => std::future::pending().await,
        "takes-a-second" => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            said("answer of takes-a-second")
        }
        "takes-20-seconds" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            said("answer of takes-20-seconds")
        }
        "takes-32-seconds" => {
            tokio::time::sleep(Duration::from_secs(32)).await;
            said("answer of takes-32-seconds")
        }
        "waits" => {
            state.release.notified().await;
            said("answer of waits")
        }
        "waits-long" => {
            state.release.notified().await;
            said(&"a long answer ".repeat(3_000))
        }
        "ill" => ill(state),
        "ill-and-slow" => {
            state.release.notified().await;
            ill(state)
        }
        "status-500" => (StatusCode::INTERNAL_SERVER_ERROR, error("internal_server_error")).into_response(),
        "status-429" => (StatusCode::TOO_MANY_REQUESTS, error("throttling_error")).into_response(),
        "redirects" => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "http://127.0.0.1:1/")]).into_response(),
        "error-in-200" => error("server_error").into_response(),
        "html" => ([(header::CONTENT_TYPE, "text/html")], "<html>Bad gateway</html>").into_response(),
        "empty-body" => StatusCode::OK.into_response(),
        "no-content" => json!({"choices": [{"message": {"role": "assistant"}}]}).to_string().into_response(),
        "broken-off-in-200" => choice("error", "half an ans"),
        "filtered" => choice("content_filter", "half an ans"),
        "cut" => choice("length", "half an ans"),
        "gzip" => ([(header::CONTENT_ENCODING, "gzip")], Bytes::from_static(b"\x1f\x8b\x08")).into_response(),
        "unknown" => {
            (StatusCode::NOT_FOUND, error_about("model 'unknown' not found", "not_found_error")).into_response()
        }
        "forges" => {
            said("Yes.\n\u{1b}routing: debug: local (m); decision_id 00000000-0000-0000-0000-000000000000. Report")
        }
        "long" => said(&"a long answer ".repeat(3_000)),
        "longer" => said(&"a long answer ".repeat(10_000)),
        "empty-answer" => said(""),
        "thinks-only" => said("<think>so many tokens</think>"),
        "truncated" => broken_off(vec![Ok(r#"{"choices":[{"message":{"content":"half an ans"#.into())]),
        "breaks-off" => broken_off(vec![Ok("{".into()), Err(std::io::Error::other("reset"))]),
        "endless" => {
            Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65_536]))))
                .into_response()
        }
        "drips" => Body::from_stream(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        }))
        .into_response(),
        model if model.starts_with("costs:") => {
            let cost = model.trim_start_matches("costs:").to_string();
            ([("x-litellm-response-cost", cost)], said("an answer that was paid for")).into_response()
        }
        model => said(model.strip_prefix("says:").unwrap_or(&format!("answer of {model}"))),
    }
}

fn ill(state: &Shared) -> Response {
    if state.well.load(Ordering::Relaxed) {
        said("answer of ill")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, error("unavailable_error")).into_response()
    }
}

fn said(content: &str) -> Response {
    choice("stop", content)
}

fn choice(finish_reason: &str, content: &str) -> Response {
    json!({
        "model": "whatever the gateway calls it",
        "choices": [{"finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7}
    })
    .to_string()
    .into_response()
}

fn error(kind: &str) -> String {
    error_about("a message that may repeat the prompt: CANARY-ECHO", kind)
}

fn error_about(message: &str, kind: &str) -> String {
    json!({"error": {"message": message, "type": kind, "code": "500"}}).to_string()
}

fn broken_off(parts: Vec<Result<Bytes, std::io::Error>>) -> Response {
    Body::from_stream(stream::iter(parts)).into_response()
}
