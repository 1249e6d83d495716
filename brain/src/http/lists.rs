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
    record::{CALL_MAX, is_call_id},
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
    unless_a_page_asks(&headers)?;
    match chosen(&parameters)? {
        ("id", id) => {
            let decisions: Vec<_> = store.decision(&canonical(id.into())).await?.into_iter().collect();
            Ok(Json(json!({"id": id, "decisions": decisions})))
        }
        ("call", call) if !is_call_id(call) => {
            Err(Refusal::Parameter(format!("call: must have 1 to {CALL_MAX} characters")))
        }
        ("call", call) => {
            let decisions = store.decisions_of_call(call, limit(&parameters, LIST_MAX)?).await?;
            Ok(Json(json!({"call": call, "decisions": decisions})))
        }
        _ => {
            let (skill, limit) = page(&parameters, &headers)?;
            let decisions = store.decisions(&skill, limit).await?;
            Ok(Json(json!({"skill": skill, "decisions": decisions})))
        }
    }
}

/// What decisions are asked for by, and its value.
fn chosen(parameters: &Parameters) -> Result<(&'static str, &str), Refusal> {
    let given = ["skill", "id", "call"].map(|name| parameters.get(name).map(|value| (name, value.as_str())));
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Refusal::Parameter(
            "skill is missing; for example ?skill=debug&limit=10, ?id=DECISION or ?call=CALL".into(),
        )),
        _ => Err(Refusal::Parameter("skill, id and call: only one of them can be asked for".into())),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_asked_for_by_one_thing() {
        let of = |names: &[&str]| {
            let parameters: Parameters = names.iter().map(|name| ((*name).to_string(), "x".to_string())).collect();
            chosen(&parameters).map(|(name, _)| name).map_err(|refusal| refusal.to_string())
        };
        assert_eq!([of(&["skill", "limit"]), of(&["id"]), of(&["call"])], [Ok("skill"), Ok("id"), Ok("call")]);
        assert!(of(&["limit"]).is_err_and(|said| said.starts_with("skill is missing")));
        for two in [["skill", "id"], ["id", "call"], ["skill", "call"]] {
            assert!(of(&two).is_err_and(|said| said.ends_with("only one of them can be asked for")), "{two:?}");
        }
    }
}
