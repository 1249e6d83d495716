//! The admin port: `/metrics` (OpenMetrics), `/status` (which config runs, and the skills' pass rates), `/readyz`
//! (config loaded, all its secrets have existed once, new calls are accepted), `/livez` (process alive).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::StatusCode, middleware, response::Response, routing::get};
use crds::{
    pod::{
        LIVE_PATH, ModelReport, PodStatus, READY_PATH, STATUS_PATH, SkillReport,
        models::CircuitReport,
        rules::{EvidenceReport, ReviewReport},
    },
    table::Skill,
};
use endpoint::host::{self, Hosts};
use futures::future::{join_all, join4};

use crate::{
    brain_client::NO_REVIEWS,
    clock,
    config::Active,
    data_plane::DataPlane,
    decision::milliseconds,
    evidence::SkillEvidence,
    skill_report,
    upstream::{Load, ModelClient, Reachability, Snapshot, endpoint_of},
};

/// How long a status waits for the first probe of an endpoint: as long as for a pass rate.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// What `/` says.
const ABOUT: &str =
    "routing, admin port: /status, /metrics, /readyz, /livez. Skills are called on the other port, at /mcp.\n";

/// The routes of the admin port, for these hosts.
pub fn app(data_plane: Arc<DataPlane>, hosts: Hosts) -> Router {
    Router::new()
        .route("/", get(|| async { ABOUT }))
        .route("/metrics", get(metrics))
        .route(STATUS_PATH, get(status))
        // A data plane without a config never listens.
        .route(READY_PATH, get(ready))
        .route(LIVE_PATH, get(|| async { "alive\n" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, ABOUT) })
        .with_state(data_plane)
        .layer(middleware::from_fn_with_state(Arc::new(hosts), host::admit))
}

async fn metrics(State(data_plane): State<Arc<DataPlane>>) -> Response {
    let active = data_plane.config.active();
    data_plane.metrics.models(&active);
    data_plane.metrics.skill_rules(&active.table);
    data_plane.metrics.evidence_locked(locked_skills(&active));
    data_plane.metrics.answer()
}

/// Whether each skill whose pass rate was read is locked; the brain is not asked for this.
fn locked_skills(active: &Active) -> impl Iterator<Item = (String, bool)> {
    active.table.skills.values().filter_map(|skill| {
        let measured = active.evidence_of(skill)?.last_known(&skill.name)?;
        Some((skill.name.clone(), skill_report::is_locked(&active.table, skill, measured)))
    })
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

async fn status(State(data_plane): State<Arc<DataPlane>>) -> Json<PodStatus> {
    let active = data_plane.config.active();
    let skills = active.table.skills.values().map(|skill| skill_report(&data_plane, &active, skill));
    let models = active.models().map(|(name, model)| model_report(name, model));
    let savings = async {
        match &active.savings {
            Some(savings) => savings.now().await,
            None => None,
        }
    };
    let (skills, mut models, savings, review) =
        join4(join_all(skills), join_all(models), savings, review_report(&active)).await;
    if active.claude.is_none() {
        models.push(ModelReport::of_the_caller());
    }
    Json(PodStatus {
        version: crds::VERSION.into(),
        config_hash: active.hash.clone(),
        origin: active.origin.as_str().into(),
        refused: data_plane.config.refused().as_deref().cloned(),
        missing_secrets: active.secrets.missing().to_vec(),
        awaited_secrets: data_plane.config.awaited().to_vec(),
        unknown_fields: active.unknown_fields.clone(),
        open: active.table.access.tokens.is_empty(),
        draining: data_plane.shutdown.draining.is_cancelled(),
        evidence: active
            .table
            .brain
            .as_ref()
            .map(|_| EvidenceReport::of(&active.table.evidence, active.table.exploration)),
        review,
        skills,
        models,
        savings,
    })
}

/// Which answers are kept, and whether the brain keeps them.
async fn review_report(active: &Active) -> Option<ReviewReport> {
    let rules = active.table.review?;
    let keeps = match &active.brain {
        Some(brain) => brain.takes_reviews().await,
        None => None,
    };
    let problem = if keeps == Some(false) { NO_REVIEWS } else { "" };
    Some(ReviewReport::of(rules, problem.into()))
}

/// What is known about a model's endpoint; it is not asked for this.
async fn model_report(name: &str, model: &ModelClient) -> ModelReport {
    let Reachability { reachable, since_ms, models_status, problem } = model.known_reachability(PROBE_WAIT).await;
    let (name, endpoint) = (name.into(), endpoint_of(&model.target().url));
    let Load { in_flight, waiting } = model.load();
    ModelReport {
        name,
        model: model.target().model.clone(),
        endpoint,
        reachable,
        since_ms,
        models_status,
        problem,
        circuit: model.circuit().map(circuit_report),
        in_flight: Some(in_flight as u64),
        waiting: Some(waiting as u64),
        max_concurrent: model.target().max_concurrent.map(|most| most as u64),
    }
}

fn circuit_report(circuit: Snapshot) -> CircuitReport {
    let Snapshot { state, failures, next_trial } = circuit;
    let next_trial_ms = next_trial.map(|time| clock::now_ms() + milliseconds(time));
    CircuitReport { state: state.into(), failures: failures.into(), next_trial_ms }
}

/// What is known about a skill, fetched from the brain if necessary, and where its next call goes.
async fn skill_report(data_plane: &DataPlane, active: &Active, skill: &Skill) -> SkillReport {
    let evidence = match active.evidence_of(skill) {
        Some(cache) => cache.for_status(&skill.name).await,
        None => SkillEvidence::default(),
    };
    let graded = data_plane.gradings.taken(&skill.name, Instant::now());
    skill_report::of(&active.table, skill, evidence, graded)
}
