//! `GET /metrics`, and what is measured of each request. It has no token, as `/pass-rate` has none, and no names.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use endpoint::trace::{ERROR_TYPE, Span, TraceContext, Tracing};
use opentelemetry::KeyValue;
use tokio::sync::Mutex;

use super::refusal::{Refusal, unless_a_page_asks};
use crate::store::Store;

/// For how long what the database says of itself counts: whoever asks more often costs it nothing.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer waits for the database: less than any scraper waits.
const PATIENCE: Duration = Duration::from_millis(500);
/// The label of requests for what is not there.
const NO_ROUTE: &str = "none";
/// What is asked every few seconds, and would hide the spans of everything else.
const WITHOUT_SPAN: [&str; 3] = ["/metrics", "/healthz", "/livez"];

/// When the database was asked for its figures last; whoever comes meanwhile waits for the answer.
#[derive(Clone)]
pub(super) struct Scraped {
    store: Store,
    asked: Arc<Mutex<Option<Instant>>>,
}

impl Scraped {
    pub(super) fn new(store: Store) -> Self {
        Self { store, asked: Arc::default() }
    }

    /// Asks the database, unless it was asked just now. In a task of its own: a scraper that gives up earlier than the
    /// database would otherwise never hear that it is away.
    async fn refresh(&self) {
        let mut asked = Arc::clone(&self.asked).lock_owned().await;
        if asked.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let store = self.store.clone();
        let refreshing = tokio::spawn(async move {
            store.metrics().database(&store.figures().await);
            *asked = Some(Instant::now());
        });
        // It fails only by a defect, which is logged.
        let _ = refreshing.await;
    }
}

pub(super) async fn metrics(State(scraped): State<Scraped>, headers: HeaderMap) -> Result<Response, Refusal> {
    unless_a_page_asks(&headers)?;
    // What comes later is in the next answer.
    let _ = tokio::time::timeout(PATIENCE, scraped.refresh()).await;
    Ok(scraped.store.metrics().answer())
}

/// Counts a request, and is its span within the trace of whoever asks.
pub(super) async fn measured(
    State((store, tracing)): State<(Store, Tracing)>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let route = path.as_ref().map_or(NO_ROUTE, |path| route(path.as_str()));
    let mut span = span(&tracing, route, &request);
    let response = next.run(request).await;
    let status = response.status();
    store.metrics().request(route, status.as_u16(), began.elapsed());
    span.note(|| {
        let code = KeyValue::new("http.response.status_code", i64::from(status.as_u16()));
        let error = status.is_server_error().then(|| KeyValue::new(ERROR_TYPE, status.as_str().to_string()));
        [code].into_iter().chain(error).collect()
    });
    response
}

fn span(tracing: &Tracing, route: &str, request: &Request) -> Span {
    if WITHOUT_SPAN.contains(&route) {
        return Span::default();
    }
    let method = method(request);
    let attributes = || {
        vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route.to_string()),
            KeyValue::new("url.scheme", "http"),
        ]
    };
    tracing.served(|| format!("{method} {route}"), TraceContext::of_headers(request.headers()).as_ref(), attributes)
}

/// The methods that a route takes; any other is a text of the caller.
fn method(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// A route as the program writes it; what the router adds for the paths below `/api/v1` that are not there is none.
fn route(matched: &str) -> &str {
    if matched.contains("{*") { NO_ROUTE } else { matched }
}
