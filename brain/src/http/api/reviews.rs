//! `GET reviews`: answers that are kept for a while.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query as UriQuery, State},
};
use serde_json::{Value, json};

use super::{ApiError, PARAMETER_MAX};
use crate::{
    entry::canonical,
    store::{Kept, REVIEWS_MAX, Store},
};

pub(super) async fn reviews(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<BTreeMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let decision = parameters.get("decision").cloned().map(canonical);
    if decision.as_ref().is_some_and(|id| id.chars().count() > PARAMETER_MAX) {
        return Err(ApiError::Invalid(format!("decision: must have at most {PARAMETER_MAX} characters")));
    }
    let limit = parameters.get("limit").map_or(Some(REVIEWS_MAX), |limit| limit.parse().ok());
    let limit = limit.filter(|limit| (1..=REVIEWS_MAX).contains(limit));
    let limit = limit.ok_or_else(|| ApiError::Invalid(format!("limit: must be from 1 to {REVIEWS_MAX}")))?;
    let reviews = store.reviews(decision.as_deref(), limit).await?;
    let Kept { number, keep_ms, share } = store.kept().await?;
    Ok(Json(json!({"kept": number, "keep_ms": keep_ms, "share": share, "reviews": reviews})))
}
