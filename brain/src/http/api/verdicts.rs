//! `POST verdicts`: what a person says about an answer.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ApiError;
use crate::{
    entry::{Entry, FinalStatus, canonical},
    http::nul::Text,
    judged::{Judged, OnJudged},
    record::Record,
    store::Store,
    verdict::Source,
};

/// Says what a body must be.
const EXAMPLE: &str =
    r#"the body must be JSON such as {"decision": "ID", "verdict": "right"}; verdict is right, wrong or retract"#;
/// What the entry says of where it comes from.
const MESSAGE: &str = "judged on the brain's page or over its API";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    decision: Text,
    verdict: Word,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Word {
    Right,
    Wrong,
    Retract,
}

impl Word {
    fn status(self) -> FinalStatus {
        match self {
            Self::Right => FinalStatus::Pass,
            Self::Wrong => FinalStatus::Fail,
            Self::Retract => FinalStatus::Retract,
        }
    }
}

pub(super) async fn judge(
    State((store, on_judged)): State<(Store, OnJudged)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    // A form of another site cannot send this type.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(ApiError::Invalid("the body must be of Content-Type application/json".into()));
    }
    let Given { decision: Text(decision), verdict } =
        serde_json::from_slice(&body).map_err(|_| ApiError::Invalid(EXAMPLE.into()))?;
    let decision = canonical(decision);
    let unknown =
        || ApiError::NotFound("decision: is not known to this brain; GET decisions lists those that are".into());
    let known = store.decision(&decision).await?.ok_or_else(unknown)?;
    let skill = known.decision["skill"].as_str().unwrap_or_default().to_string();
    let said = entry(skill, verdict.status(), &decision);
    store.append(said.clone()).await?;
    let record = known.decision.as_object().and_then(|record| Record::read(record).ok());
    on_judged(&Judged::of(&said, record.as_ref()));
    let verdicts = store.decision(&decision).await?.map(|stored| stored.verdicts);
    Ok(Json(json!({"decision": decision, "verdicts": verdicts})))
}

fn entry(skill: String, final_status: FinalStatus, decision: &str) -> Entry {
    Entry {
        phase: "outcome".into(),
        message: MESSAGE.into(),
        source: Source::Human,
        decision_id: Some(decision.into()),
        ..Entry::of(skill, final_status)
    }
}
