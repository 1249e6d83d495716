//! Metrics of calls of skills, and of where their model calls went.

use endpoint::metrics::Registered;
use prometheus_client::encoding::EncodeLabelSet;

use super::labels::{CallLabels, Counters, KindLabel, SkillLabel};
use crate::decision::DecisionRecord;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabels {
    skill: String,
    decision: &'static str,
    reason: &'static str,
}

/// See the module.
pub(super) struct Calls {
    calls: Counters<CallLabels>,
    decisions: Counters<DecisionLabels>,
    gateway_fallbacks: Counters<SkillLabel>,
    prompt_failures: Counters<KindLabel>,
    shadow_calls: Counters<CallLabels>,
}

impl Calls {
    pub(super) fn registered(new: &mut Registered<'_>) -> Self {
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
        }
    }

    pub(super) fn call(&self, skill: &str, result: &'static str) {
        self.calls.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
    }

    pub(super) fn decision(&self, record: &DecisionRecord) {
        let skill = record.skill.clone();
        if record.gateway_fallback == Some(true) {
            self.gateway_fallbacks.get_or_create(&SkillLabel { skill: skill.clone() }).inc();
        }
        let (decision, reason) = (record.decision.as_str(), record.reason.as_str());
        self.decisions.get_or_create(&DecisionLabels { skill, decision, reason }).inc();
    }

    pub(super) fn prompt_failed(&self, kind: &'static str) {
        self.prompt_failures.get_or_create(&KindLabel { kind }).inc();
    }

    pub(super) fn shadow(&self, skill: &str, result: &'static str) {
        self.shadow_calls.get_or_create(&CallLabels { skill: skill.into(), result }).inc();
    }
}
