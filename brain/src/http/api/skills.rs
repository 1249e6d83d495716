//! `GET skills` and `GET problems`.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::{Query as UriQuery, State},
};
use crds::period::USUAL_WINDOW;
use serde_json::{Value, json};

use super::ApiError;
use crate::{
    http::window,
    skill_state::{self, Latest, SkillState},
    store::{Query, Store},
};

/// Most skills of one answer: other programs may log names of their own.
const SKILLS_MAX: usize = 200;
/// Latest decisions of a skill that say where it goes.
const LATEST: i64 = 50;

pub(super) async fn skills(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<BTreeMap<String, String>>,
) -> Result<Json<Value>, ApiError> {
    let window = parameters.get("window").map_or(USUAL_WINDOW, String::as_str);
    let length = window::length(window).map_err(ApiError::Invalid)?;
    let (states, more) = states(&store, length).await?;
    Ok(Json(json!({"window": window, "skills": states, "left_out": more})))
}

pub(super) async fn problems(State(store): State<Store>) -> Result<Json<Value>, ApiError> {
    let window = window::length(USUAL_WINDOW).map_err(ApiError::Invalid)?;
    let (states, _) = states(&store, window).await?;
    let problems: Vec<_> = states.iter().flat_map(skill_state::problems).collect();
    Ok(Json(json!({"problems": problems})))
}

/// The state of each skill by its name, and how many are left out.
async fn states(store: &Store, window: Duration) -> Result<(Vec<SkillState>, usize), ApiError> {
    let mut names = store.skills().await?;
    let more = names.len().saturating_sub(SKILLS_MAX);
    names.truncate(SKILLS_MAX);
    let mut states = Vec::with_capacity(names.len());
    for skill in names {
        states.push(state(store, skill, window).await?);
    }
    Ok((states, more))
}

/// The state of one skill.
async fn state(store: &Store, skill: String, window: Duration) -> Result<SkillState, ApiError> {
    let decisions = store.decisions(&skill, LATEST).await?;
    let latest = Latest(&decisions);
    let (local, sources) = (latest.local_model(), latest.sources());
    let query = Query { skill: skill.clone(), window, local, sources, at_least: 0 };
    let evidence = store.coverage_evidence(&query).await?;
    Ok(SkillState::of(skill, &evidence, &latest))
}
