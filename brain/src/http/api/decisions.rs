//! `GET decisions`: the latest ones of all skills, filtered, page by page.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Query as UriQuery, State},
};
use serde_json::{Value, json};

use super::{ApiError, PARAMETER_MAX};
use crate::{
    record::{Arm, Record},
    store::{Filter, Judged, PAGE_MAX, Page, Place, Store, StoredDecision},
};

/// Decisions of a page, if the request does not say how many.
const LIMIT: i64 = 50;
/// The parameters.
const PARAMETERS: [&str; 6] = ["skill", "caller", "arm", "verdict", "before", "limit"];

type Parameters = BTreeMap<String, String>;

pub(super) async fn decisions(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
) -> Result<Json<Value>, ApiError> {
    let (filter, limit) = asked(&parameters).map_err(ApiError::Invalid)?;
    let Page { decisions, reviewed, next } = store.page(&filter, limit).await?;
    let shown = |stored: &StoredDecision| {
        let kept = stored.decision["id"].as_str().is_some_and(|id| reviewed.contains(id));
        shown(stored, kept)
    };
    let next = next.map(|Place { at_ms, id }| format!("{at_ms}_{id}"));
    Ok(Json(json!({"decisions": decisions.iter().map(shown).collect::<Vec<_>>(), "next": next})))
}

/// What a request asks for.
fn asked(parameters: &Parameters) -> Result<(Filter, i64), String> {
    for (name, value) in parameters {
        if !PARAMETERS.contains(&name.as_str()) {
            return Err(format!("unknown parameter; the parameters are {}", PARAMETERS.join(", ")));
        }
        if value.chars().count() > PARAMETER_MAX {
            return Err(format!("{name}: must have at most {PARAMETER_MAX} characters"));
        }
    }
    let given = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let arm = given("arm").map(|arm| match arm {
        "local" => Ok(Arm::Local),
        "claude" => Ok(Arm::Claude),
        _ => Err("arm: must be local or claude"),
    });
    let judged = given("verdict").map(|verdict| match verdict {
        "right" => Ok(Judged::Right),
        "wrong" => Ok(Judged::Wrong),
        "none" => Ok(Judged::NotYet),
        _ => Err("verdict: must be right, wrong or none"),
    });
    let before = given("before").map(|place| {
        let (at, id) = place.split_once('_').ok_or("before: must be the next of an earlier answer")?;
        let at_ms = at.parse().map_err(|_| "before: must be the next of an earlier answer")?;
        Ok::<_, &str>(Place { at_ms, id: id.into() })
    });
    let limit = given("limit").map_or(Some(LIMIT), |limit| limit.parse().ok());
    let limit = limit.filter(|limit| (1..=PAGE_MAX).contains(limit));
    let filter = Filter {
        skill: given("skill").map(str::to_string),
        caller: given("caller").map(str::to_string),
        arm: arm.transpose()?,
        judged: judged.transpose()?,
        before: before.transpose()?,
    };
    Ok((filter, limit.ok_or_else(|| format!("limit: must be from 1 to {PAGE_MAX}"))?))
}

/// A decision as it is listed: what a reader needs of its record.
fn shown(StoredDecision { decision, at, verdicts }: &StoredDecision, review: bool) -> Value {
    let answered = decision.as_object().and_then(|record| Record::read(record).ok());
    let arm = answered.map(|record| record.arm.as_str());
    let field = |name: &str| decision.get(name).cloned().unwrap_or_default();
    json!({
        "id": field("id"), "at_ms": at, "time_ms": field("time_ms"), "skill": field("skill"), "stage": field("stage"),
        "decision": field("decision"), "reason": field("reason"), "arm": arm, "model": field("model"),
        "answered_by": field("answered_by"),
        "tokens": {"in": field("prompt_tokens"), "out": field("completion_tokens"), "cached": field("cached_tokens")},
        "duration_ms": field("duration_ms"), "cost_usd": field("cost_usd"), "error": field("error"),
        "caller": field("caller"), "shadow": decision["shadow"] == true, "verdicts": verdicts, "review": review,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<(Filter, i64), String> {
        asked(&pairs.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect())
    }

    #[test]
    fn a_filter_is_read_and_what_is_wrong_is_named() {
        let (filter, limit) =
            read(&[("arm", "claude"), ("verdict", "none"), ("before", "12_a_b"), ("skill", "")]).expect("valid");
        assert_eq!((filter.arm, filter.judged, limit), (Some(Arm::Claude), Some(Judged::NotYet), LIMIT));
        assert_eq!((filter.before, filter.skill), (Some(Place { at_ms: 12, id: "a_b".into() }), None));
        let long = "x".repeat(PARAMETER_MAX + 1);
        for (name, value) in [
            ("arm", "both"),
            ("verdict", "pass"),
            ("before", "12"),
            ("before", "x_y"),
            ("limit", "0"),
            ("limit", "201"),
            ("caller", &long),
        ] {
            let error = read(&[(name, value)]).expect_err(name);
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
        assert!(read(&[("skil", "debug")]).expect_err("unknown").starts_with("unknown parameter"));
    }
}
