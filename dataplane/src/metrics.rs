//! The data plane's metrics. Labels come from enums and from the policy's skill names, never from a request.

mod calls;
mod evidence;
mod labels;
mod models;
mod spending;
mod verdicts;

use std::{sync::atomic::Ordering, time::Duration};

use axum::response::Response;
use crds::RoutingTable;
use endpoint::metrics::Registered;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, info::Info},
    registry::Registry,
};

use self::{
    calls::Calls,
    evidence::Evidence,
    labels::{Counters, KindLabel},
    models::Models,
    spending::Spending,
    verdicts::Verdicts,
};
use crate::{config::Active, decision::DecisionRecord, otlp::Losses, telemetry, upstream::Usage, verdict::Verdict};

/// Upper bounds of the histogram of model call times, in seconds: up to the longest time that clients wait.
const CALL_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 280.0];

/// Every metric of the data plane.
pub struct Metrics {
    registry: Registry,
    calls: Calls,
    evidence: Evidence,
    verdicts: Verdicts,
    spending: Spending,
    refused: Counters<KindLabel>,
    pass_rate_errors: Counters<KindLabel>,
    decision_log_dropped: Counters<KindLabel>,
    reloads: Counters<KindLabel>,
    config_checks: Counters<KindLabel>,
    log_lines_dropped: Counter,
    /// What did not reach the OpenTelemetry collector.
    pub otlp: Losses,
    in_flight: Gauge,
    tasks: Gauge,
    models: Models,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("routing");
        registry.register("build", "Version of this program", Info::new([("version", crds::VERSION)]));
        let mut new = Registered(&mut registry);
        Self {
            calls: Calls::registered(&mut new),
            evidence: Evidence::registered(&mut new),
            verdicts: Verdicts::registered(&mut new),
            spending: Spending::registered(&mut new),
            refused: new.metric("refused_requests", "Requests refused before MCP: host, origin, unauthorized, closed"),
            pass_rate_errors: new.metric("pass_rate_errors", "Failed requests for pass rates, by kind of error"),
            decision_log_dropped: new
                .metric("decision_log_dropped", "Decisions dropped before they reached the brain, by kind of error"),
            reloads: new.metric("config_reloads", "Config changes: applied, secrets_applied, refused"),
            config_checks: new.metric("config_checks", "Checks of the config's files, by trigger: event, timer"),
            log_lines_dropped: new.metric(
                "log_lines_dropped",
                "Log lines dropped because standard error was read too slowly or cannot be written",
            ),
            otlp: Losses::registered(&mut new),
            in_flight: new.metric("in_flight_calls", "Skill calls being handled"),
            tasks: new.metric("tasks", "Tasks of the program, among them one for each connection and each call"),
            models: Models::registered(&mut new),
            registry,
        }
    }
}

impl Metrics {
    /// The answer of `/metrics`.
    pub fn answer(&self) -> Response {
        self.log_lines_dropped.inner().store(telemetry::dropped_lines(), Ordering::Relaxed);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.tasks.set(runtime.metrics().num_alive_tasks().try_into().unwrap_or(i64::MAX));
        }
        endpoint::metrics::answer(&self.registry)
    }

    /// A call of a served skill ended.
    pub fn call(&self, skill: &str, result: &'static str) {
        self.calls.call(skill, result);
    }

    /// A model call ended, or the caller got the work itself.
    pub fn decision(&self, record: &DecisionRecord) {
        self.evidence.decision(record);
        self.verdicts.decision(record);
        self.spending.decision(record);
        self.calls.decision(record);
    }

    /// A model call for a skill used this; `arm`: local, claude, or grader for judgements.
    pub fn used(&self, skill: &str, model: &str, arm: &'static str, usage: &Usage) {
        self.spending.used(skill, model, arm, usage);
    }

    /// A prompt could not be rendered.
    pub fn prompt_failed(&self, kind: &'static str) {
        self.calls.prompt_failed(kind);
    }

    /// A call of the local model in the background ended, or was dropped.
    pub fn shadow(&self, skill: &str, result: &'static str) {
        self.calls.shadow(skill, result);
    }

    /// The rules that each skill of a table has; those of an earlier table are forgotten.
    pub fn skill_rules(&self, table: &RoutingTable) {
        self.evidence.rules(table);
    }

    /// Which skills are locked; those that were reported before and are not any more are forgotten.
    pub fn evidence_locked(&self, skills: impl Iterator<Item = (String, bool)>) {
        self.evidence.locked(skills);
    }

    /// A request was refused before MCP.
    pub fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&KindLabel { kind }).inc();
    }

    /// A request for a pass rate failed.
    pub fn pass_rate_errors(&self, kind: &'static str) {
        self.pass_rate_errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// A decision was not delivered to the brain.
    pub fn decision_log_dropped(&self, kind: &'static str) {
        self.decision_log_dropped.get_or_create(&KindLabel { kind }).inc();
    }

    /// A verdict came in by itself.
    pub fn verdict(&self, verdict: &Verdict) {
        self.verdicts.verdict(verdict);
    }

    /// A verdict was not delivered to the brain.
    pub fn verdict_dropped(&self, kind: &'static str) {
        self.verdicts.verdict_dropped(kind);
    }

    /// An answer to keep for review was not delivered to the brain.
    pub fn review_dropped(&self, kind: &'static str) {
        self.verdicts.review_dropped(kind);
    }

    /// An answer of the sample was judged, or was not.
    pub fn grading(&self, skill: &str, result: &'static str) {
        self.verdicts.grading(skill, result);
    }

    /// A config change was applied or refused.
    pub fn reload(&self, kind: &'static str) {
        self.reloads.get_or_create(&KindLabel { kind }).inc();
    }

    /// The config's files were checked.
    pub fn config_check(&self, kind: &'static str) {
        self.config_checks.get_or_create(&KindLabel { kind }).inc();
    }

    /// A model call was not made; `kind`: why, as an error's kind.
    pub fn not_called(&self, arm: &'static str, kind: &'static str) {
        self.models.not_called(arm, kind);
    }

    /// A model call waited so long for its turn.
    pub fn waited(&self, arm: &'static str, time: Duration) {
        self.models.waited(arm, time);
    }

    /// What is known of the models of a config: whether they can be reached, and who waits for them.
    pub fn models(&self, active: &Active) {
        self.models.look(active);
    }

    /// The gauge of calls in flight.
    pub fn in_flight(&self) -> &Gauge {
        &self.in_flight
    }
}
