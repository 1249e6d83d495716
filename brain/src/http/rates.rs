//! What is known about skills: `/pass-rate`, `/evidence`, and beginning it anew.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Query as UriQuery, State},
    http::HeaderMap,
};
use crds::{nearest::meant, period::USUAL_WINDOW, policy::evidence::MIN_SAMPLES_MAX, shown::printable};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    nul::Text,
    refusal::{Refusal, unless_a_page_asks},
    window,
};
use crate::{
    store::{Query, Rate, Store},
    verdict::{Source, Sources},
};

/// Largest `at_least`: whatever a policy can ask for.
const AT_LEAST_MAX: i64 = MIN_SAMPLES_MAX as i64;
/// Longest query value that an error repeats, in characters.
const SHOWN: usize = 64;

pub(super) type Parameters = BTreeMap<String, String>;

/// The answer of `/pass-rate` (`contract`, part 3). The fields after `total` are there for those who ask for a model.
#[derive(Serialize)]
pub(super) struct PassRateAnswer {
    skill: String,
    window: String,
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

/// What a query asks for, with its window as it was written.
fn asked(parameters: &Parameters) -> Result<(Query, &str), Refusal> {
    let given = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let wrong = |message: String| Refusal::Parameter(message);
    let missing = || wrong("skill is missing; for example /pass-rate?skill=code_review&window=7d".into());
    let skill = given("skill").ok_or_else(missing)?;
    let window = given("window").unwrap_or(USUAL_WINDOW);
    let length = window::length(window).map_err(wrong)?;
    let sources = given("sources").map_or(Ok(Sources::default()), Sources::parse).map_err(|name| {
        let all = Source::ALL.map(Source::as_str).join(", ");
        wrong(format!("sources={}: is no source; the sources are {all}", printable(name, SHOWN)))
    })?;
    let at_least = given("at_least").map_or(Ok(0), str::parse);
    let at_least = at_least.ok().filter(|number| (0..=AT_LEAST_MAX).contains(number));
    let at_least =
        at_least.ok_or_else(|| wrong(format!("at_least: must be a whole number from 0 to {AT_LEAST_MAX}")))?;
    let local = given("local").map(str::to_string);
    Ok((Query { skill: skill.into(), window: length, local, sources, at_least }, window))
}

pub(super) async fn pass_rate(
    State(store): State<Store>,
    UriQuery(parameters): UriQuery<Parameters>,
) -> Result<Json<PassRateAnswer>, Refusal> {
    let (query, window) = asked(&parameters)?;
    let evidence = store.evidence(&query).await?;
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
    Ok(Json(PassRateAnswer { skill: query.skill, window: window.into(), rate, total, more }))
}

/// What is known about each skill, or about one, per model.
pub(super) async fn evidence(
    State(store): State<Store>,
    UriQuery(mut parameters): UriQuery<Parameters>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    unless_a_page_asks(&headers)?;
    let skills = match parameters.get("skill") {
        Some(skill) => vec![skill.clone()],
        None => store.skills().await?,
    };
    let mut all = vec![];
    for skill in skills {
        parameters.insert("skill".into(), skill);
        let (query, _) = asked(&parameters)?;
        let evidence = store.evidence(&query).await?;
        all.push(json!({"skill": query.skill, "rate": evidence.rate, "models": evidence.models,
            "sources": evidence.sources, "agreement": evidence.agreement, "decisions": evidence.decisions, "since": evidence.since}));
    }
    Ok(Json(json!({"skills": all})))
}

/// The skill whose evidence is begun anew, and the model, if only one's is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    skill: Text,
    model: Option<Text>,
}

pub(super) async fn reset(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    unless_a_page_asks(&headers)?;
    let example = r#"the body must be JSON such as {"skill": "debug"} or {"skill": "debug", "model": "qwen35"}"#;
    let Reset { skill: Text(skill), model } =
        serde_json::from_slice(&body).map_err(|_| Refusal::Parameter(example.into()))?;
    let model = model.map(|Text(model)| model);
    let known = store.skills().await?;
    if !known.contains(&skill) {
        let meant = meant(&skill, known.iter().map(String::as_str));
        return Err(Refusal::Parameter(format!("skill={}: has no evidence{meant}", printable(&skill, SHOWN))));
    }
    let ended = store.reset(&skill, model.as_deref()).await?;
    Ok(Json(json!({"skill": skill, "model": model, "ended": ended})))
}
