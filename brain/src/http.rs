//! The HTTP routes of the brain.

mod api;
mod lists;
mod metrics;
mod nul;
mod page;
mod rates;
mod refusal;
mod window;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use endpoint::{
    BodyBudget, INVALID_REQUEST,
    bearer::{self, TokenDigest},
    host, origin, rpc_error,
    trace::Tracing,
};
use tokio_util::sync::CancellationToken;

use crate::{judged::OnJudged, mcp::BrainTools, reporters::Reporters, settings::Settings, store::Store};

/// What the bodies of all requests in flight may take together, in bytes.
const BODIES_MAX_BYTES: usize = 16 * 1024 * 1024;
/// When what is in flight ends.
#[derive(Clone, Default)]
pub struct Ends {
    /// No new requests come: streams end.
    pub stopping: CancellationToken,
    /// Requests in flight are cut off.
    pub hard_stop: CancellationToken,
}

/// Whom what happens is reported to.
#[derive(Clone)]
pub struct Reports {
    /// Is called with each verdict that was stored, and must not wait.
    pub on_judged: OnJudged,
    /// What begins spans.
    pub tracing: Tracing,
}

impl Default for Reports {
    fn default() -> Self {
        Self { on_judged: Arc::new(|_| ()), tracing: Tracing::default() }
    }
}

/// The brain's routes, for the hosts in its settings: the page, `/pass-rate`, `/metrics` and `/healthz` for everyone; all
/// others need the token, if one is set.
pub fn app(store: Store, settings: &Settings, ends: Ends) -> Router {
    app_that_reports(store, settings, ends, Reports::default())
}

/// As [`app`]; what happens is also reported.
pub fn app_that_reports(store: Store, settings: &Settings, ends: Ends, reports: Reports) -> Router {
    let Reports { on_judged, tracing } = reports;
    let guard = Guard(settings.token.as_ref().map(TokenDigest::of).map(Arc::new));
    let Ends { stopping, hard_stop } = ends;
    let measured = middleware::from_fn_with_state((store.clone(), tracing), metrics::measured);
    let scraped = metrics::Scraped::new(store.clone());
    let api = api::routes(store.clone(), Arc::clone(&on_judged), guard.clone(), stopping);
    let tools = BrainTools::new(store.clone(), Reporters::new(settings.unattributed_per_minute), on_judged);
    let budget = BodyBudget::new(BODIES_MAX_BYTES);
    let guarded = Router::new()
        .route("/sessions/{id}", get(lists::session))
        .route("/outcomes", get(lists::outcomes))
        .route("/decisions", get(lists::decisions))
        .route("/evidence", get(rates::evidence))
        .route("/evidence/reset", post(rates::reset))
        .with_state(store.clone())
        .merge(endpoint::endpoint(tools, hard_stop, budget))
        .route_layer(middleware::from_fn_with_state(guard, admit));
    Router::new()
        .route("/pass-rate", get(rates::pass_rate))
        .route("/healthz", get(healthz))
        .with_state(store)
        .route("/metrics", get(metrics::metrics).with_state(scraped))
        // A restart repairs no database: whether the process lives is another question.
        .route("/livez", get(|| async { "alive\n" }))
        .merge(page::routes())
        .merge(api)
        .merge(guarded)
        .fallback(endpoint::not_found)
        .layer(middleware::from_fn(nul::admit))
        .layer(middleware::from_fn_with_state(Arc::new(settings.hosts.clone()), host::admit))
        // Around all others: what they refuse counts, too.
        .layer(measured)
}

/// Whether entries can be stored: a server of the database can be away for a while, and is waited for.
async fn healthz(State(store): State<Store>) -> Response {
    match store.reach().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

#[derive(Clone)]
struct Guard(Option<Arc<TokenDigest>>);

async fn admit(State(Guard(expected)): State<Guard>, request: Request, next: Next) -> Response {
    if let Err(origin) = origin::check(request.headers(), &[]) {
        let message = format!("forbidden: web pages of {origin} may not call the brain");
        return rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, &message);
    }
    let presented = bearer::presented(request.headers());
    match expected {
        Some(expected) if !presented.is_some_and(|token| expected.matches(token)) => {
            endpoint::unauthorized(presented.is_some())
        }
        _ => next.run(request).await,
    }
}
