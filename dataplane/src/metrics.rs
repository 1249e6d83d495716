//! The data plane's metrics. Labels come from enums and from the policy's skill names, never from a request.

mod models;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::response::Response;
use crds::{RoutingTable, table::Skill};
use endpoint::metrics::Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use self::models::Models;
use crate::{config::Active, decision::DecisionRecord, otlp::Losses, telemetry, upstream::Usage, verdict::Verdict};

/// Upper bounds of the histogram of model call times, in seconds: up to the longest time that clients wait.
const CALL_SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 280.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    skill: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabels {
    skill: String,
    decision: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ModelLabels {
    decision: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SkillLabel {
    skill: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RulesLabels {
    skill: String,
    of: String,
    sources: String,
    on_expired: String,
    exploration: String,
    relative_to: String,
    check: String,
    grading: String,
}

impl RulesLabels {
    fn of(table: &RoutingTable, skill: &Skill) -> Self {
        let none = || "None".to_string();
        Self {
            skill: skill.name.clone(),
            of: format!("{:?}", table.evidence.of),
            sources: table.evidence.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(","),
            on_expired: format!("{:?}", table.evidence.on_expired),
            exploration: format!("{:?}", table.exploration.mode),
            relative_to: format!("{:?}", skill.relative_to),
            check: skill.check.as_ref().map_or_else(none, |check| format!("{:?}", check.on_failed)),
            grading: skill.grading.as_ref().map_or_else(none, |grading| format!("{:?}", grading.by)),
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CutLabels {
    skill: String,
    decision: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CheckLabels {
    skill: String,
    decision: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabels {
    skill: String,
    source: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabels {
    skill: String,
    model: String,
    arm: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CostLabels {
    skill: String,
    model: String,
    arm: &'static str,
}

type Counters<L> = Family<L, Counter>;

/// Every metric of the data plane.
pub struct Metrics {
    registry: Registry,
    calls: Counters<CallLabels>,
    decisions: Counters<DecisionLabels>,
    gateway_fallbacks: Counters<SkillLabel>,
    shadow_calls: Counters<CallLabels>,
    held_decisions: Counters<SkillLabel>,
    evidence_locked: Family<SkillLabel, Gauge>,
    skill_rules: Family<RulesLabels, Gauge>,
    /// The skills that `evidence_locked` has.
    reported_locks: Mutex<BTreeSet<String>>,
    cut_answers: Counters<CutLabels>,
    prompt_failures: Counters<KindLabel>,
    checks: Counters<CheckLabels>,
    verdicts: Counters<VerdictLabels>,
    verdicts_dropped: Counters<KindLabel>,
    reviews_dropped: Counters<KindLabel>,
    gradings: Counters<CallLabels>,
    model_seconds: Family<ModelLabels, Histogram>,
    tokens: Counters<TokenLabels>,
    cost: Family<CostLabels, Counter<f64, AtomicU64>>,
    refused: Counters<KindLabel>,
    pass_rate_errors: Counters<KindLabel>,
    decision_log_dropped: Counters<KindLabel>,
    reloads: Counters<KindLabel>,
    config_checks: Counters<KindLabel>,
    in_flight: Gauge,
    tasks: Gauge,
    models: Models,
    log_lines_dropped: Counter,
    /// What did not reach the OpenTelemetry collector.
    pub otlp: Losses,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("routing");
        registry.register("build", "Version of this program", Info::new([("version", crds::VERSION)]));
        let mut new = Registered(&mut registry);
        let seconds = Family::new_with_constructor((|| Histogram::new(CALL_SECONDS)) as fn() -> Histogram);
        Self {
            calls: new.metric(
                "calls",
                "Skill calls by result: answered, arguments (invalid), failed, busy (refused), cancelled, panicked",
            ),
            decisions: new.metric("decisions", "Routing decisions, one per model call, by decision and reason"),
            gateway_fallbacks: new
                .metric("gateway_fallbacks", "Model calls that the gateway itself sent to another model"),
            prompt_failures: new.metric(
                "prompt_failures",
                "Prompts that could not be rendered, by kind: template, work, memory, panicked, timeout, no_place, ended, process",
            ),
            shadow_calls: new.metric(
                "shadow_calls",
                "Calls of the local model in the background by result: answered, an error kind, dropped (too many at a time)",
            ),
            held_decisions: new
                .metric("held_decisions", "Routing decisions by a pass rate whose outcomes are older than the window"),
            evidence_locked: new.metric(
                "evidence_locked",
                "Whether a skill goes to Claude and gets no outcomes of the local model any more, by the last known pass rate",
            ),
            skill_rules: new.metric(
                "skill_rules",
                "The rules of evidence of a skill, as labels; always 1. check and grading: None, or who answers and who judges",
            ),
            reported_locks: Mutex::default(),
            cut_answers: new.metric("cut_answers", "Answers of models that were cut at their token limit"),
            checks: new.metric("checks", "Checks of answers by decision and result: passed, failed"),
            verdicts: new.metric("verdicts", "Verdicts that came in by themselves, by source: check, grader, implicit"),
            verdicts_dropped: new
                .metric("verdicts_dropped", "Verdicts dropped before they reached the brain, by kind of error"),
            reviews_dropped: new.metric(
                "reviews_dropped",
                "Answers to keep for review that did not reach the brain, by kind of error",
            ),
            gradings: new.metric(
                "gradings",
                "Answers of the sample by result: pass, fail, unsure, unreadable, failed (not judged); too_large, busy, \
                 over_budget (not sent)",
            ),
            model_seconds: new.with("model_call_seconds", "Duration of model calls by decision and result", seconds),
            tokens: new.metric(
                "tokens",
                "Tokens of model calls by kind: in (prompts, cached tokens included), cached (of these), out (answers)",
            ),
            cost: new.metric(
                "cost_usd",
                "Cost of model calls in US dollars, as the gateway reports it, or by the price in the policy",
            ),
            refused: new.metric("refused_requests", "Requests refused before MCP: host, origin, unauthorized, closed"),
            pass_rate_errors: new.metric("pass_rate_errors", "Failed requests for pass rates, by kind of error"),
            decision_log_dropped: new
                .metric("decision_log_dropped", "Decisions dropped before they reached the brain, by kind of error"),
            reloads: new.metric("config_reloads", "Config changes: applied, secrets_applied, refused"),
            config_checks: new.metric("config_checks", "Checks of the config's files, by trigger: event, timer"),
            log_lines_dropped: new
                .metric("log_lines_dropped", "Log lines dropped because standard error was read too slowly or cannot be written"),
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
        self.calls.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
    }

    /// A model call ended, or the caller got the work itself.
    pub fn decision(&self, record: &DecisionRecord) {
        let (skill, decision) = (record.skill.clone(), record.decision.as_str());
        if record.gateway_fallback == Some(true) {
            self.gateway_fallbacks.get_or_create(&SkillLabel { skill: skill.clone() }).inc();
        }
        if record.basis.held {
            self.held_decisions.get_or_create(&SkillLabel { skill: skill.clone() }).inc();
        }
        if record.was_cut() {
            self.cut_answers.get_or_create(&CutLabels { skill: skill.clone(), decision }).inc();
        }
        if let Some(check) = record.check {
            let labels = CheckLabels { skill: skill.clone(), decision, result: check.as_str() };
            self.checks.get_or_create(&labels).inc();
        }
        let seconds = Duration::from_millis(record.duration_ms).as_secs_f64();
        let result = record.error.unwrap_or("answered");
        if !record.returned {
            self.model_seconds.get_or_create(&ModelLabels { decision, result }).observe(seconds);
        }
        self.decisions.get_or_create(&DecisionLabels { skill, decision, reason: record.reason.as_str() }).inc();
    }

    /// A model call for a skill used this; `arm`: local, claude, or grader for judgements.
    pub fn used(&self, skill: &str, model: &str, arm: &'static str, usage: &Usage) {
        let (skill, model) = (skill.to_string(), model.to_string());
        for (kind, tokens) in
            [("in", usage.prompt_tokens), ("cached", usage.cached_tokens), ("out", usage.completion_tokens)]
        {
            if let Some(tokens) = tokens {
                let labels = TokenLabels { skill: skill.clone(), model: model.clone(), arm, kind };
                self.tokens.get_or_create(&labels).inc_by(tokens);
            }
        }
        if let Some(cost) = usage.cost {
            self.cost.get_or_create(&CostLabels { skill, model, arm }).inc_by(cost.usd);
        }
    }

    /// A prompt could not be rendered.
    pub fn prompt_failed(&self, kind: &'static str) {
        self.prompt_failures.get_or_create(&KindLabel { kind }).inc();
    }

    /// A call of the local model in the background ended, or was dropped.
    pub fn shadow(&self, skill: &str, result: &'static str) {
        self.shadow_calls.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
    }

    /// The rules that each skill of a table has; those of an earlier table are forgotten.
    pub fn skill_rules(&self, table: &RoutingTable) {
        self.skill_rules.clear();
        for skill in table.skills.values() {
            self.skill_rules.get_or_create(&RulesLabels::of(table, skill)).set(1);
        }
    }

    /// Which skills are locked; those that were reported before and are not any more are forgotten.
    pub fn evidence_locked(&self, skills: impl Iterator<Item = (String, bool)>) {
        // Every update of the set is complete, so a panic elsewhere leaves nothing half done.
        let mut reported = self.reported_locks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *reported);
        for (skill, locked) in skills {
            self.evidence_locked.get_or_create(&SkillLabel { skill: skill.clone() }).set(locked.into());
            gone.remove(&skill);
            reported.insert(skill);
        }
        for skill in gone {
            self.evidence_locked.remove(&SkillLabel { skill });
        }
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
    pub fn verdict(&self, Verdict { skill, source, quality, .. }: &Verdict) {
        let labels = VerdictLabels { skill: skill.clone(), source: source.as_str(), verdict: quality.as_str() };
        self.verdicts.get_or_create(&labels).inc();
    }

    /// A verdict was not delivered to the brain.
    pub fn verdict_dropped(&self, kind: &'static str) {
        self.verdicts_dropped.get_or_create(&KindLabel { kind }).inc();
    }

    /// An answer to keep for review was not delivered to the brain.
    pub fn review_dropped(&self, kind: &'static str) {
        self.reviews_dropped.get_or_create(&KindLabel { kind }).inc();
    }

    /// An answer of the sample was judged, or was not.
    pub fn grading(&self, skill: &str, result: &'static str) {
        self.gradings.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
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
