//! Stands in for the Messages API, so that the real Claude Code runs with a model that answers by a script.
//!
//! A request with tools belongs to the main conversation and takes the next reply; behind the last one the model says
//! [`DONE`]. Claude Code asks for titles and the like without tools: it gets [`ASIDE`], which takes no reply.

pub mod reply;
pub mod request;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

pub use self::{
    reply::{Block, Reply},
    request::{Request, ToolResult, ToolUse},
};
use super::Server;

/// What the model says once the script is over.
pub const DONE: &str = "done";
/// What a request outside of the main conversation gets.
pub const ASIDE: &str = "aside";
/// More requests than any test makes are not kept.
const MOST_KEPT: usize = 500;
const MOST_BYTES: usize = 32 << 20;

#[derive(Default)]
struct Heard {
    script: VecDeque<Reply>,
    main: Vec<Request>,
    aside: Vec<Request>,
    uses: Vec<ToolUse>,
}

type Shared = Arc<Mutex<Heard>>;

/// The running stand-in.
pub struct MessagesApi {
    server: Server,
    heard: Shared,
}

impl MessagesApi {
    /// Starts it on a free port, with the replies of the main conversation in order.
    pub async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let heard = Shared::default();
        let routes = Router::new()
            .route("/", get(|| async { Json(json!({})) }))
            .route("/v1/messages", post(answer))
            .route("/v1/messages/count_tokens", post(count))
            .fallback(not_found)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(Arc::clone(&heard));
        let api = Self { server: Server::start(routes).await, heard };
        api.say(script);
        api
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Adds replies to what is left of the script.
    ///
    /// # Panics
    /// If a handler panicked.
    pub fn say(&self, replies: impl IntoIterator<Item = Reply>) {
        locked(&self.heard).script.extend(replies);
    }

    /// The requests of the main conversation so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.heard).main.clone()
    }

    /// The requests outside of it so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn asides(&self) -> Vec<Request> {
        locked(&self.heard).aside.clone()
    }

    /// The newest request of the main conversation: it has all that was said before.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn last(&self) -> Request {
        self.requests().pop().expect("a request")
    }

    /// The tool calls that the model has made, with their ids.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn uses(&self) -> Vec<ToolUse> {
        locked(&self.heard).uses.clone()
    }
}

fn locked(heard: &Shared) -> MutexGuard<'_, Heard> {
    heard.lock().expect("no handler panics")
}

async fn answer(State(heard): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else { return refused("the body is not JSON") };
    let (model, streamed) = (body["model"].clone(), body["stream"] == json!(true));
    let message = heard_and_answered(&heard, Request { headers, body }).message(&model);
    if streamed {
        ([(header::CONTENT_TYPE, "text/event-stream")], reply::events(&message)).into_response()
    } else {
        Json(message).into_response()
    }
}

/// Keeps a request and says what it gets; the tool calls have their ids.
fn heard_and_answered(heard: &Shared, request: Request) -> reply::Numbered {
    let mut heard = locked(heard);
    let main = !request.tools().is_empty();
    let reply = if main { heard.script.pop_front().unwrap_or_else(|| Reply::text(DONE)) } else { Reply::text(ASIDE) };
    let numbered = reply.numbered();
    heard.uses.extend(numbered.uses());
    let kept = if main { &mut heard.main } else { &mut heard.aside };
    if kept.len() < MOST_KEPT {
        kept.push(request);
    }
    numbered
}

async fn count(body: Bytes) -> Json<Value> {
    Json(json!({"input_tokens": body.len() / 4}))
}

async fn not_found(uri: Uri) -> Response {
    let error = json!({"type": "not_found_error", "message": uri.path()});
    (StatusCode::NOT_FOUND, Json(json!({"type": "error", "error": error}))).into_response()
}

fn refused(message: &str) -> Response {
    let error = json!({"type": "invalid_request_error", "message": message});
    (StatusCode::BAD_REQUEST, Json(json!({"type": "error", "error": error}))).into_response()
}
