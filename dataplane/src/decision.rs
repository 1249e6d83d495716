//! The record of one model call: what was decided, on which evidence, and how the call ended.

mod basis;
mod price;

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

pub use self::{
    basis::{Basis, milliseconds},
    price::PriceAtTheTime,
};
use crate::{
    client_context::ClientContext,
    clock,
    decide::{Decision, Reason},
    upstream::{FinishReason, Usage},
};

/// One model call made for a caller.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// UUIDv7: sorts by time.
    pub id: Uuid,
    /// When the call began, in milliseconds since 1970.
    pub time_ms: u64,
    /// Name of the skill.
    pub skill: String,
    /// Of the skill's stages; counted from 0.
    pub stage: usize,
    /// The request hash, 16 hex digits.
    pub hash: String,
    /// The pass rate that was known, whether or not it counted.
    pub pass_rate: Option<f64>,
    /// Outcomes behind the pass rate; none: the brain does not report it.
    pub samples: Option<u64>,
    /// How old the evidence was, in milliseconds.
    pub evidence_age_ms: Option<u64>,
    /// The skill's threshold: at or above it, calls go to the local model.
    pub floor: f64,
    /// The skill's threshold: below it, calls go to Claude.
    pub ceil: f64,
    /// Why it went there.
    pub reason: Reason,
    /// Where the call went.
    pub decision: Decision,
    /// Name of the model that was called.
    pub model: String,
    /// The model that answered, if the gateway reports it.
    pub answered_by: Option<String>,
    /// Whether the gateway itself fell back to another model, if it reports that.
    pub gateway_fallback: Option<bool>,
    /// Tokens and cost, if the gateway reports them.
    #[serde(flatten)]
    pub usage: Usage,
    /// What Claude costs, of a call that the local model answers for it; none: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_price: Option<PriceAtTheTime>,
    /// Why the model stopped, if it answered and the gateway reports it.
    pub finish_reason: Option<FinishReason>,
    /// How long the model call took, in milliseconds.
    pub duration_ms: u64,
    /// The kind of error; none: the model answered.
    pub error: Option<&'static str>,
    /// Name of the caller's token in the policy; none: the endpoint is open.
    pub caller: Option<String>,
    /// The caller's own session id.
    pub session: Option<String>,
    /// The caller's mode, if it named one.
    pub mode: Option<&'static str>,
    /// Hash of the config that decided.
    pub policy_hash: String,
    /// What the decision rests on besides.
    #[serde(flatten)]
    pub basis: Basis,
    /// Asked in the background: the caller got another answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// What the skill's check says of the answer; none: it was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Checked>,
    /// The answer was not used: its check failed, and the call went on to Claude.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sent_on: bool,
    /// No answer of the skill can be judged at this time: the judgements of this hour are used up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gradings_used_up: bool,
    /// What the client says of itself.
    #[serde(flatten)]
    pub client: ClientContext,
    /// No model was called: the caller got the work itself, and is the `model` of this record.
    #[serde(skip)]
    pub returned: bool,
    /// The rate that counted: none if `pass_rate` is based on too few samples.
    #[serde(skip)]
    pub effective_rate: Option<f64>,
}

/// What a check says of an answer.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// It holds.
    Passed,
    /// It does not, or the answer was cut.
    Failed,
}

impl Checked {
    /// The name in logs, metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// The attempt whose answer a stage has: the last one that answered.
pub fn answering(decisions: &[DecisionRecord], stage: usize) -> Option<&DecisionRecord> {
    decisions.iter().rev().find(|record| record.stage == stage && record.error.is_none())
}

impl DecisionRecord {
    /// The record of a call that begins now. What is not known yet is absent.
    #[must_use]
    pub fn new(skill: &str, decision: Decision, reason: Reason, model: &str) -> Self {
        Self {
            id: Uuid::now_v7(),
            time_ms: clock::now_ms(),
            skill: skill.into(),
            stage: 0,
            hash: String::new(),
            pass_rate: None,
            samples: None,
            evidence_age_ms: None,
            floor: 0.0,
            ceil: 0.0,
            reason,
            decision,
            model: model.into(),
            answered_by: None,
            gateway_fallback: None,
            usage: Usage::default(),
            claude_price: None,
            finish_reason: None,
            duration_ms: 0,
            error: None,
            caller: None,
            session: None,
            mode: None,
            policy_hash: String::new(),
            basis: Basis::default(),
            shadow: false,
            check: None,
            sent_on: false,
            gradings_used_up: false,
            client: ClientContext::default(),
            returned: false,
            effective_rate: None,
        }
    }

    /// The line that readers of the brain's entries parse (`contract`, part 4).
    pub fn message(&self) -> String {
        let Self { skill, decision, model, .. } = self;
        if self.shadow {
            return format!("{skill}: shadow — model={model}");
        }
        let detail = match decision {
            Decision::ClaudeFallback => self.instead_of().to_string(),
            Decision::ClaudeEscalation => "after-failed-check".to_string(),
            Decision::Local | Decision::Claude => {
                format!("pass_rate={}", self.effective_rate.map_or("null".into(), |rate| format!("{rate:.2}")))
            }
        };
        format!("{skill}: {} — model={model}, {detail}", decision.as_str())
    }

    /// What the fallback stands in for.
    fn instead_of(&self) -> &'static str {
        match self.reason {
            Reason::LocalCircuitOpen => "local-circuit-open",
            Reason::LocalBusy => "local-busy",
            _ => "after-local-error",
        }
    }

    /// `skip` if the model call worked, because a decision says nothing about quality; otherwise `fail`.
    pub fn final_status(&self) -> &'static str {
        if self.error.is_none() { "skip" } else { "fail" }
    }

    /// Whether the model answered, but its answer was cut at the token limit.
    pub fn was_cut(&self) -> bool {
        self.finish_reason == Some(FinishReason::Length)
    }

    /// Whether the model answered, but its answer failed the skill's check.
    pub fn failed_check(&self) -> bool {
        self.check == Some(Checked::Failed)
    }

    /// Notes how long the model call took.
    pub fn set_duration(&mut self, duration: Duration) {
        self.duration_ms = milliseconds(duration);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(decision: Decision, rate: Option<f64>) -> DecisionRecord {
        DecisionRecord {
            time_ms: 0,
            hash: "0".repeat(16),
            pass_rate: rate,
            floor: 0.9,
            ceil: 0.7,
            session: Some("mine".into()),
            effective_rate: rate,
            ..DecisionRecord::new("debug", decision, Reason::NoPassRate, "qwen35")
        }
    }

    #[test]
    fn contract_4_message_of_a_first_attempt() {
        assert_eq!(record(Decision::Local, None).message(), "debug: local — model=qwen35, pass_rate=null");
        assert_eq!(record(Decision::Local, Some(0.9)).message(), "debug: local — model=qwen35, pass_rate=0.90");
        assert_eq!(record(Decision::Claude, Some(0.456)).message(), "debug: claude — model=qwen35, pass_rate=0.46");
    }

    #[test]
    fn contract_4_message_of_a_fallback() {
        assert_eq!(
            record(Decision::ClaudeFallback, Some(0.9)).message(),
            "debug: claude_fallback — model=qwen35, after-local-error"
        );
    }

    #[test]
    fn the_message_of_a_fallback_without_a_local_attempt_says_why_there_was_none() {
        for (reason, detail) in [(Reason::LocalCircuitOpen, "local-circuit-open"), (Reason::LocalBusy, "local-busy")] {
            let record = DecisionRecord { reason, ..record(Decision::ClaudeFallback, Some(0.9)) };
            assert_eq!(record.message(), format!("debug: claude_fallback — model=qwen35, {detail}"));
        }
    }

    #[test]
    fn the_message_of_an_escalation_is_like_the_others() {
        assert_eq!(
            record(Decision::ClaudeEscalation, Some(0.9)).message(),
            "debug: claude_escalation — model=qwen35, after-failed-check"
        );
    }

    #[test]
    fn the_answer_of_a_stage_is_that_of_its_last_attempt_that_answered() {
        let attempt = |stage, decision, error| DecisionRecord { stage, error, ..record(decision, None) };
        let decisions = [
            attempt(0, Decision::Local, Some("timeout")),
            attempt(0, Decision::ClaudeFallback, None),
            attempt(1, Decision::Local, None),
            attempt(1, Decision::ClaudeEscalation, Some("timeout")),
        ];
        let answered = |stage| answering(&decisions, stage).map(|record| record.decision);
        assert_eq!([0, 1, 2].map(answered), [Some(Decision::ClaudeFallback), Some(Decision::Local), None]);
    }

    #[test]
    fn what_is_not_known_is_not_part_of_a_record() {
        let known = serde_json::json!(record(Decision::Local, None));
        let new =
            ["check", "client_call_id", "client_session", "client_name", "client_version", "traceparent", "client"];
        assert!(new.iter().all(|field| known.get(field).is_none()), "{known}");
        let checked =
            serde_json::json!(DecisionRecord { check: Some(Checked::Failed), ..record(Decision::Local, None) });
        assert_eq!(checked["check"], "failed");
    }

    #[test]
    fn contract_4_final_status_says_whether_the_model_call_worked() {
        let mut record = record(Decision::Local, None);
        assert_eq!(record.final_status(), "skip");
        record.error = Some("timeout");
        assert_eq!(record.final_status(), "fail");
    }
}
