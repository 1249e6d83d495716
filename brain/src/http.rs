//! The HTTP routes of the brain.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use crds::{
    period::Period,
    shown::{chain, printable},
};
use endpoint::{
    BodyBudget, INVALID_REQUEST,
    bearer::{self, TokenDigest},
    host, origin, rpc_error,
};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    mcp::BrainTools,
    settings::Settings,
    store::{PassRate, SESSION_ENTRIES_MAX, Store},
};

/// Window of a pass rate when the request has none.
const DEFAULT_WINDOW: &str = "7d";
/// Longest query value that an error repeats, in characters.
const SHOWN: usize = 64;

/// What the bodies of all requests in flight may take together, in bytes.
const BODIES_MAX_BYTES: usize = 16 * 1024 * 1024;
/// What `/` says.
const ABOUT: &str =
    "routing's brain: outcomes are reported to /mcp (session_log); /pass-rate?skill=NAME serves what they make.\n";

/// The brain's routes, for the hosts in its settings: `/pass-rate` and `/healthz` for everyone; `/mcp` and
/// `/sessions/{id}` need the token, if one is set.
pub fn app(store: Store, settings: &Settings, hard_stop: CancellationToken) -> Router {
    let guard = Guard(settings.token.as_ref().map(TokenDigest::of).map(Arc::new));
    let budget = BodyBudget::new(BODIES_MAX_BYTES);
    let guarded = Router::new()
        .route("/sessions/{id}", get(session))
        .with_state(store.clone())
        .merge(endpoint::endpoint(BrainTools::new(store.clone()), hard_stop, budget))
        .route_layer(middleware::from_fn_with_state(guard, admit));
    Router::new()
        .route("/pass-rate", get(pass_rate))
        .with_state(store)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/", get(|| async { ABOUT }))
        .merge(guarded)
        .fallback(|| async { endpoint::plain(StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn_with_state(Arc::new(settings.hosts.clone()), host::admit))
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
        Some(expected) if !presented.is_some_and(|token| expected.matches(token)) => endpoint::unauthorized(),
        _ => next.run(request).await,
    }
}

/// The answer of `/pass-rate` (`contract`, part 3).
#[derive(Serialize)]
struct PassRateAnswer<'a> {
    skill: &'a str,
    window: &'a str,
    #[serde(flatten)]
    rate: PassRate,
}

async fn pass_rate(State(store): State<Store>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let Some(skill) = query.get("skill").filter(|skill| !skill.is_empty()) else {
        return bad_request("skill is missing; for example /pass-rate?skill=code_review&window=7d".into());
    };
    let window = query.get("window").map_or(DEFAULT_WINDOW, String::as_str);
    let Ok(length) = Period::from_text(window).duration() else {
        return bad_request(format!(
            "window={}: must be a whole number with a unit (ms, s, m, h, d), for example 7d",
            printable(window, SHOWN)
        ));
    };
    match store.pass_rate(skill, length).await {
        Ok(rate) => Json(PassRateAnswer { skill, window, rate }).into_response(),
        Err(error) => unavailable(&error),
    }
}

/// Entries may be private, so no web page may read them. Checking `Origin` is not enough: a page whose host name was
/// rebound to this address counts as same-origin.
fn is_asked_by_a_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

async fn session(
    State(store): State<Store>,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if is_asked_by_a_page(&headers) {
        return rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, "forbidden: web pages may not read sessions");
    }
    let limit = query.get("limit").map_or(Ok(SESSION_ENTRIES_MAX), |limit| limit.parse());
    let Some(limit) = limit.ok().filter(|limit| (1..=SESSION_ENTRIES_MAX).contains(limit)) else {
        return bad_request(format!("limit: must be from 1 to {SESSION_ENTRIES_MAX}"));
    };
    match store.session(&id, limit).await {
        Ok(entries) => Json(json!({"session_id": id, "entries": entries})).into_response(),
        Err(error) => unavailable(&error),
    }
}

fn bad_request(message: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response()
}

fn unavailable(error: &crate::store::StoreError) -> Response {
    tracing::error!(error = chain(error), "the store failed");
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "the store failed; see the brain's log"}))).into_response()
}
