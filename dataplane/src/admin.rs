//! The admin port: `/metrics` (OpenMetrics), `/status` (which config runs, and the skills' pass rates), `/readyz`
//! (config loaded, all its secrets have existed once, new calls are accepted), `/livez` (process alive).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use crds::{policy::RouteMode, table::Skill};
use serde_json::{Value, json};

use crate::{
    config::Active,
    data_plane::DataPlane,
    decide::{Reason, decide_for_skill, effective_rate},
    evidence::Evidence,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of the admin port.
pub fn app(data_plane: Arc<DataPlane>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        // A data plane without a config never listens.
        .route("/readyz", get(ready))
        .route("/livez", get(|| async { "alive\n" }))
        .with_state(data_plane)
}

async fn metrics(State(data_plane): State<Arc<DataPlane>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], data_plane.metrics.text())
}

async fn ready(State(data_plane): State<Arc<DataPlane>>) -> (StatusCode, String) {
    // If no other pod is ready, a Service still sends calls to a terminating pod that reports ready.
    if data_plane.shutdown.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no new calls: shutting down\n".into());
    }
    match data_plane.config.readiness() {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing.iter().map(|secret| format!("{secret}\n")).collect()),
    }
}

async fn status(State(data_plane): State<Arc<DataPlane>>) -> Json<Value> {
    let active = data_plane.config.active();
    let refused = data_plane.config.refused();
    let skills = active.table.skills.values().map(|skill| skill_status(&active, skill));
    let skills = futures::future::join_all(skills).await;
    Json(json!({
        "version": crds::VERSION,
        "configHash": active.hash,
        "origin": active.origin,
        "refused": refused.as_deref(),
        "missingSecrets": active.secrets.missing(),
        "awaitedSecrets": *data_plane.config.awaited(),
        "unknownFields": active.unknown_fields,
        "open": active.table.access.tokens.is_empty(),
        "draining": data_plane.shutdown.draining.is_cancelled(),
        "skills": skills,
    }))
}

/// What is known about a skill (the brain is queried if necessary), and where its next call goes.
async fn skill_status(active: &Active, skill: &Skill) -> Value {
    let evidence = match (&active.evidence, skill.route) {
        (Some(evidence), RouteMode::Auto) => evidence.for_status(&skill.name).await,
        _ => Evidence::default(),
    };
    let min_samples = active.table.evidence.min_samples;
    let (decision, reason) = decide_for_skill(skill.route, evidence.measured, min_samples, skill.thresholds, 0);
    json!({
        "name": skill.name,
        "passRate": effective_rate(evidence.measured, min_samples),
        "samples": evidence.measured.samples,
        "route": if reason == Reason::Split { "split" } else { decision.as_str() },
        "reason": reason.as_str(),
        "evidenceAgeMs": evidence.age.and_then(|age| u64::try_from(age.as_millis()).ok()),
    })
}
