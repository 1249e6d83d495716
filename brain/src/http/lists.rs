//! What is stored, as it is read back: a session's entries, a skill's outcomes and decisions.

use axum::{
    Json,
    extract::{Path, Query as UriQuery, State},
    http::HeaderMap,
};
use serde_json::{Value, json};

use super::{
    rates::Parameters,
    refusal::{Refusal, unless_a_page_asks},
};
use crate::{
    entry::canonical,
    store::{LIST_MAX, SESSION_ENTRIES_MAX, Store},
};

pub(super) async fn session(
    State(store): State<Store>,
    Path(id): Path<String>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    unless_a_page_asks(&headers)?;
    let entries = store.session(&id, limit(&parameters, SESSION_ENTRIES_MAX)?).await?;
    Ok(Json(json!({"session_id": id, "entries": entries})))
}

pub(super) async fn outcomes(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let (skill, limit) = page(&parameters, &headers)?;
    let outcomes = store.outcomes(&skill, limit).await?;
    Ok(Json(json!({"skill": skill, "outcomes": outcomes})))
}

pub(super) async fn decisions(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    if let Some(id) = parameters.get("id") {
        unless_a_page_asks(&headers)?;
        let decisions: Vec<_> = store.decision(&canonical(id.clone())).await?.into_iter().collect();
        return Ok(Json(json!({"id": id, "decisions": decisions})));
    }
    let (skill, limit) = page(&parameters, &headers)?;
    let decisions = store.decisions(&skill, limit).await?;
    Ok(Json(json!({"skill": skill, "decisions": decisions})))
}

/// A skill and a number of rows.
fn page(parameters: &Parameters, headers: &HeaderMap) -> Result<(String, i64), Refusal> {
    unless_a_page_asks(headers)?;
    let skill = parameters.get("skill").filter(|skill| !skill.is_empty());
    let missing = || Refusal::Parameter("skill is missing; for example ?skill=debug&limit=10".into());
    Ok((skill.ok_or_else(missing)?.clone(), limit(parameters, LIST_MAX)?))
}

fn limit(parameters: &Parameters, most: i64) -> Result<i64, Refusal> {
    let limit = parameters.get("limit").map_or(Ok(most), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Refusal::Parameter(format!("limit: must be from 1 to {most}")))
}
