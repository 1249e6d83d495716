//! The collector, as the exporters reach it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::Client;
use tokio::runtime::Handle;

use super::Losses;
use crate::http_client::{self, BodyError};

/// Longest request, by the standard's default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes; only its status matters.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// Sends what the exporters have, and notes whether the collector takes it. All clones are one.
#[derive(Clone)]
pub(super) struct Collector {
    client: Client,
    /// The exporters ask from threads of their own.
    runtime: Handle,
    losses: Losses,
    away: Arc<AtomicBool>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    /// Fails, with the reason, if there is no HTTP client.
    pub(super) fn new(losses: Losses) -> Result<Self, String> {
        let client = http_client::build(vec![])
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: no HTTP client can be built: {error}"))?;
        Ok(Self { client, runtime: Handle::current(), losses, away: Arc::default() })
    }

    /// One line when the collector goes away and one when it is back, however many batches are between.
    fn note(&self, problem: Option<(&'static str, String)>) {
        match problem {
            Some((kind, problem)) => {
                self.losses.export(kind);
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        problem,
                        "the OpenTelemetry collector takes nothing; calls go on, and what is dropped is counted in /metrics"
                    );
                }
            }
            None => {
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the OpenTelemetry collector takes spans and metrics again");
                }
            }
        }
    }
}

type Answer = Result<Response<Bytes>, HttpError>;

/// `HttpClient` is written with a macro for async functions in traits; this is what it makes of them.
impl HttpClient for Collector {
    fn send_bytes<'c, 'f>(&'c self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'f>>
    where
        'c: 'f,
        Self: 'f,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await });
        Box::pin(async move {
            let answer = sent.await.map_err(HttpError::from).flatten();
            self.note(match &answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(("refused", format!("it answers {}", answer.status()))),
                // Without the address: it may hold a key.
                Err(_) => Some(("unreachable", "it cannot be reached, or is too slow".into())),
            });
            answer
        })
    }
}

async fn send(client: &Client, request: Request<Bytes>) -> Answer {
    let mut request = reqwest::Request::try_from(request.map(reqwest::Body::from))?;
    *request.timeout_mut() = Some(TIMEOUT);
    let answer = client.execute(request).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = match http_client::read_bounded(answer, ANSWER_MAX_BYTES).await {
        Ok(body) => body,
        // What is too long is an explanation, which nothing reads.
        Err(BodyError::TooLarge) => vec![],
        Err(BodyError::Transport(error)) => return Err(error.into()),
    };
    let mut answer = Response::new(Bytes::from(body));
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    Ok(answer)
}
