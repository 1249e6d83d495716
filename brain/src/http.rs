//! The HTTP routes of the brain.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query as UriQuery, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use crds::{
    nearest::nearest,
    period::Period,
    shown::{chain, printable},
};
use endpoint::{
    BodyBudget, INVALID_REQUEST,
    bearer::{self, TokenDigest},
    host, origin, rpc_error,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    mcp::BrainTools,
    settings::Settings,
    store::{LIST_MAX, Query, Rate, SESSION_ENTRIES_MAX, Store},
    verdict::{Source, Sources},
};

/// Window of a pass rate when the request has none.
const DEFAULT_WINDOW: &str = "7d";
/// Largest `at_least`.
const AT_LEAST_MAX: i64 = 10_000;
/// Longest query value that an error repeats, in characters.
const SHOWN: usize = 64;

/// What the bodies of all requests in flight may take together, in bytes.
const BODIES_MAX_BYTES: usize = 16 * 1024 * 1024;
/// What `/` says.
const ABOUT: &str =
    "routing's brain: outcomes are reported to /mcp (session_log); /pass-rate?skill=NAME serves what they make.\n";

/// The brain's routes, for the hosts in its settings: `/pass-rate` and `/healthz` for everyone; all others need the
/// token, if one is set.
pub fn app(store: Store, settings: &Settings, hard_stop: CancellationToken) -> Router {
    let guard = Guard(settings.token.as_ref().map(TokenDigest::of).map(Arc::new));
    let budget = BodyBudget::new(BODIES_MAX_BYTES);
    let guarded = Router::new()
        .route("/sessions/{id}", get(session))
        .route("/outcomes", get(outcomes))
        .route("/decisions", get(decisions))
        .route("/evidence", get(evidence))
        .route("/evidence/reset", post(reset))
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

/// The answer of `/pass-rate` (`contract`, part 3). The fields after `total` are there for those who ask for a model.
#[derive(Serialize)]
struct PassRateAnswer<'a> {
    skill: &'a str,
    window: &'a str,
    #[serde(flatten)]
    rate: Rate,
    total: i64,
    #[serde(flatten)]
    more: Option<More>,
}

#[derive(Serialize)]
struct More {
    #[serde(skip_serializing_if = "Option::is_none")]
    claude: Option<Rate>,
    sources: BTreeMap<&'static str, i64>,
    decisions: i64,
    since: Option<i64>,
    held: bool,
    held_age_ms: Option<i64>,
}

type Parameters = BTreeMap<String, String>;

/// What a query asks for, with its window as it was written.
fn asked(parameters: &Parameters) -> Result<(Query, &str), String> {
    let given = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let skill = given("skill").ok_or("skill is missing; for example /pass-rate?skill=code_review&window=7d")?;
    let window = given("window").unwrap_or(DEFAULT_WINDOW);
    let length = Period::from_text(window).duration().map_err(|_| {
        let shown = printable(window, SHOWN);
        format!("window={shown}: must be a whole number with a unit (ms, s, m, h, d), for example 7d")
    })?;
    let sources = given("sources").map_or(Ok(Sources::default()), Sources::parse).map_err(|name| {
        let all = Source::ALL.map(Source::as_str).join(", ");
        format!("sources={}: is no source; the sources are {all}", printable(name, SHOWN))
    })?;
    let at_least = given("at_least").map_or(Ok(0), |text| text.parse().map_err(|_| text));
    let at_least = at_least.ok().filter(|number| (0..=AT_LEAST_MAX).contains(number));
    let at_least = at_least.ok_or_else(|| format!("at_least: must be a whole number from 0 to {AT_LEAST_MAX}"))?;
    let local = given("local").map(str::to_string);
    Ok((Query { skill: skill.into(), window: length, local, sources, at_least }, window))
}

async fn pass_rate(State(store): State<Store>, UriQuery(parameters): UriQuery<Parameters>) -> Response {
    let (query, window) = match asked(&parameters) {
        Ok(asked) => asked,
        Err(message) => return bad_request(message),
    };
    let evidence = match store.evidence(&query).await {
        Ok(evidence) => evidence,
        Err(error) => return unavailable(&error),
    };
    let claude = parameters.get("claude").map(|name| evidence.claude(name));
    let more = (query.local.is_some() || claude.is_some()).then(|| More {
        claude,
        sources: evidence.sources.clone(),
        decisions: evidence.decisions,
        since: evidence.since,
        held: evidence.held_age_ms.is_some(),
        held_age_ms: evidence.held_age_ms,
    });
    let (rate, total) = (evidence.rate, evidence.total);
    Json(PassRateAnswer { skill: &query.skill, window, rate, total, more }).into_response()
}

/// What is known about each skill, or about one, per model.
async fn evidence(
    State(store): State<Store>,
    UriQuery(mut parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Response {
    if is_asked_by_a_page(&headers) {
        return no_page();
    }
    let read = async {
        let skills = match parameters.get("skill") {
            Some(skill) => vec![skill.clone()],
            None => store.skills().await.map_err(|error| unavailable(&error))?,
        };
        let mut all = vec![];
        for skill in skills {
            parameters.insert("skill".into(), skill);
            let (query, _) = asked(&parameters).map_err(bad_request)?;
            let evidence = store.evidence(&query).await.map_err(|error| unavailable(&error))?;
            all.push(json!({"skill": query.skill, "rate": evidence.rate, "models": evidence.models,
                "sources": evidence.sources, "decisions": evidence.decisions, "since": evidence.since}));
        }
        Ok::<_, Response>(all)
    };
    read.await.map_or_else(|refused| refused, |all| Json(json!({"skills": all})).into_response())
}

/// The skill whose evidence is begun anew, and the model, if only one's is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    skill: String,
    model: Option<String>,
}

async fn reset(State(store): State<Store>, body: Bytes) -> Response {
    let Ok(Reset { skill, model }) = serde_json::from_slice(&body) else {
        return bad_request(
            "the body must be JSON such as {\"skill\": \"debug\"} or {\"skill\": \"debug\", \"model\": \"qwen35\"}"
                .into(),
        );
    };
    let known = match store.skills().await {
        Ok(known) => known,
        Err(error) => return unavailable(&error),
    };
    if !known.contains(&skill) {
        let meant = nearest(&skill, known.iter().map(String::as_str)).map(|name| format!("; did you mean {name}?"));
        return bad_request(format!(
            "skill={}: has no evidence{}",
            printable(&skill, SHOWN),
            meant.unwrap_or_default()
        ));
    }
    match store.reset(&skill, model.as_deref()).await {
        Ok(ended) => Json(json!({"skill": skill, "model": model, "ended": ended})).into_response(),
        Err(error) => unavailable(&error),
    }
}

/// A skill and a number of rows.
fn page(parameters: &Parameters, headers: &HeaderMap) -> Result<(String, i64), Response> {
    if is_asked_by_a_page(headers) {
        return Err(no_page());
    }
    let skill = parameters.get("skill").filter(|skill| !skill.is_empty());
    let skill = skill.ok_or_else(|| bad_request("skill is missing; for example ?skill=debug&limit=10".into()))?;
    Ok((skill.clone(), limit(parameters, LIST_MAX)?))
}

fn limit(parameters: &Parameters, most: i64) -> Result<i64, Response> {
    let limit = parameters.get("limit").map_or(Ok(most), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| bad_request(format!("limit: must be from 1 to {most}")))
}

async fn outcomes(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Response {
    let (skill, limit) = match page(&parameters, &headers) {
        Ok(page) => page,
        Err(refused) => return refused,
    };
    match store.outcomes(&skill, limit).await {
        Ok(outcomes) => Json(json!({"skill": skill, "outcomes": outcomes})).into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn decisions(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Response {
    let (skill, limit) = match page(&parameters, &headers) {
        Ok(page) => page,
        Err(refused) => return refused,
    };
    match store.decisions(&skill, limit).await {
        Ok(decisions) => Json(json!({"skill": skill, "decisions": decisions})).into_response(),
        Err(error) => unavailable(&error),
    }
}

fn no_page() -> Response {
    rpc_error(StatusCode::FORBIDDEN, INVALID_REQUEST, "forbidden: web pages may not read what the brain has stored")
}

/// Entries may be private, so no web page may read them. Checking `Origin` is not enough: a page whose host name was
/// rebound to this address counts as same-origin.
fn is_asked_by_a_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

async fn session(
    State(store): State<Store>,
    Path(id): Path<String>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Response {
    if is_asked_by_a_page(&headers) {
        return no_page();
    }
    let limit = match limit(&parameters, SESSION_ENTRIES_MAX) {
        Ok(limit) => limit,
        Err(refused) => return refused,
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
