//! Stands in for language models of which some fail, each in one way that its path names. No language model runs.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::stream;
use serde_json::json;

use super::Server;
use crate::ports;

/// How a model fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens.
    Refuses,
    /// It accepts the request and never answers.
    Hangs,
    /// It sends a byte of its answer now and then, and never the end.
    Drips,
    /// It answers 429.
    TooMany,
    /// It answers 529, as Anthropic does when it is overloaded.
    Overloaded,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refuses, Self::Hangs, Self::Drips, Self::TooMany, Self::Overloaded];

    /// The word in paths and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuses => "refuses",
            Self::Hangs => "hangs",
            Self::Drips => "drips",
            Self::TooMany => "429",
            Self::Overloaded => "529",
        }
    }
}

/// What the models that work say.
pub const GOOD: &str = "a good answer";
/// The path of models that fail in one of the ways, or not, by chance.
const CHANCE: &str = "chance";
/// One of so many calls fails by chance.
const ONE_OF: u32 = 10;
/// Time between two bytes of a model that drips.
const DRIP: Duration = Duration::from_millis(500);

/// The running stand-in.
pub struct Failing {
    server: Server,
    /// Where nothing listens.
    nobody: u16,
}

impl Failing {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let routes = Router::new()
            .route("/{how}/v1/chat/completions", post(complete))
            .route("/{how}/v1/models", get(|| async { json!({"object": "list", "data": []}).to_string() }))
            .layer(DefaultBodyLimit::disable());
        Self { server: Server::start(routes).await, nobody: ports::free() }
    }

    /// The base URL of models that fail in this way.
    #[must_use]
    pub fn url(&self, failure: Failure) -> String {
        match failure {
            Failure::Refuses => format!("http://127.0.0.1:{}", self.nobody),
            other => format!("{}/{}", self.server.url(), other.name()),
        }
    }

    /// The base URL of models that work.
    #[must_use]
    pub fn working(&self) -> String {
        format!("{}/works", self.server.url())
    }

    /// The base URL of models of which one call in ten fails.
    #[must_use]
    pub fn by_chance(&self) -> String {
        format!("{}/{CHANCE}", self.server.url())
    }
}

async fn complete(Path(how): Path<String>) -> Response {
    let failure = if how == CHANCE { by_chance() } else { Failure::ALL.into_iter().find(|one| one.name() == how) };
    match failure {
        // A refused connection cannot be had from a server that runs: the closest is an answer of a proxy before it.
        Some(Failure::Refuses) => StatusCode::BAD_GATEWAY.into_response(),
        Some(Failure::Hangs) => std::future::pending().await,
        Some(Failure::Drips) => Body::from_stream(stream::unfold((), |()| async {
            tokio::time::sleep(DRIP).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        }))
        .into_response(),
        Some(Failure::TooMany) => refused(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
        Some(Failure::Overloaded) => refused(overloaded(), "overloaded_error"),
        None => json!({
            "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": GOOD}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7}
        })
        .to_string()
        .into_response(),
    }
}

fn overloaded() -> StatusCode {
    StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn refused(status: StatusCode, kind: &str) -> Response {
    (status, json!({"error": {"message": "not now", "type": kind}}).to_string()).into_response()
}

/// By the clock's nanoseconds, mixed: a load that lasts needs no better chance.
fn by_chance() -> Option<Failure> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let mixed = nanos.wrapping_mul(2_654_435_761) >> 16;
    mixed.is_multiple_of(ONE_OF).then(|| Failure::ALL[(mixed / ONE_OF) as usize % Failure::ALL.len()])
}
