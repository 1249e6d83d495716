//! Names and values of attributes. Those that the conventions do not have begin with `routing.`.

use std::time::Duration;

use opentelemetry::{Array, KeyValue, StringValue, Value};
use uuid::Uuid;

use crate::{
    decide::Decided,
    decision::{DecisionRecord, milliseconds},
    evidence::SkillEvidence,
    upstream::{ModelClient, Usage},
};

pub const OPERATION: &str = "gen_ai.operation.name";
pub const PROVIDER: &str = "gen_ai.provider.name";
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
pub const TOOL: &str = "gen_ai.tool.name";
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
pub const METHOD: &str = "mcp.method.name";
pub const SKILL: &str = "routing.skill";
pub const DECISION: &str = "routing.decision";
pub const REASON: &str = "routing.reason";
pub const DECISION_ID: &str = "routing.decision_id";
/// The operation of a call of a tool.
pub const EXECUTE_TOOL: &str = "execute_tool";
/// The operation of a chat completion.
pub const CHAT: &str = "chat";
/// The provider: every endpoint speaks OpenAI's interface, whosever model it serves.
pub const OPENAI: &str = "openai";
/// The kind of error of a tool that answered `isError`.
pub const TOOL_ERROR: &str = "tool_error";

/// Of the span of a call; `skill`: none if there is no such skill.
pub fn of_call(skill: Option<&str>) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new(METHOD, endpoint::method::CALL),
        KeyValue::new(OPERATION, EXECUTE_TOOL),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("network.transport", "tcp"),
    ];
    all.extend(skill.map(|skill| KeyValue::new(TOOL, skill.to_string())));
    all
}

/// What the brain knows of a skill.
pub fn of_evidence(evidence: &SkillEvidence) -> Vec<KeyValue> {
    let age = evidence.age.map(|age: Duration| integer("routing.evidence_age_ms", milliseconds(age)));
    let measured = evidence.measured;
    [
        measured.pass_rate.map(|rate| KeyValue::new("routing.pass_rate", rate)),
        measured.samples.map(|samples| integer("routing.samples", samples)),
        age,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where a call goes, and why.
pub fn of_decision(skill: &str, stage: usize, decided: &Decided) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new(SKILL, skill.to_string()),
        integer("routing.stage", stage as u64),
        KeyValue::new(DECISION, decided.decision.as_str()),
        KeyValue::new(REASON, decided.reason.as_str()),
    ];
    all.extend(decided.effective_rate.map(|rate| KeyValue::new("routing.effective_rate", rate)));
    all
}

/// Of a model call that begins.
pub fn of_model_call(record: &DecisionRecord, model: &ModelClient) -> Vec<KeyValue> {
    let mut all = of_chat(&record.model, model);
    all.extend([
        KeyValue::new(SKILL, record.skill.clone()),
        KeyValue::new(DECISION, record.decision.as_str()),
        KeyValue::new(REASON, record.reason.as_str()),
        KeyValue::new(DECISION_ID, record.id.to_string()),
    ]);
    if record.shadow {
        all.push(KeyValue::new("routing.shadow", true));
    }
    all
}

/// Of a model call that ended.
pub fn of_model_answer(record: &DecisionRecord) -> Vec<KeyValue> {
    let finished = record.finish_reason.map(|reason| {
        let reasons = vec![StringValue::from(reason.as_str())];
        KeyValue::new("gen_ai.response.finish_reasons", Value::Array(Array::String(reasons)))
    });
    let more = [
        record.answered_by.clone().map(|model| KeyValue::new("gen_ai.response.model", model)),
        finished,
        record.check.map(|check| KeyValue::new("routing.check", check.as_str())),
    ];
    of_usage(&record.usage).into_iter().chain(more.into_iter().flatten()).collect()
}

/// Of a judge that is asked about the answer of a decision.
pub fn of_grading(skill: &str, decision: Uuid, judge: &ModelClient) -> Vec<KeyValue> {
    let mut all = of_chat(&judge.target().model, judge);
    all.extend([
        KeyValue::new(SKILL, skill.to_string()),
        KeyValue::new(DECISION_ID, decision.to_string()),
        KeyValue::new("routing.grading", true),
    ]);
    all
}

/// Of what a model call took.
pub fn of_usage(usage: &Usage) -> Vec<KeyValue> {
    [
        usage.prompt_tokens.map(|tokens| integer("gen_ai.usage.input_tokens", tokens)),
        usage.completion_tokens.map(|tokens| integer("gen_ai.usage.output_tokens", tokens)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Of the delivery of an entry about a decision to the brain.
pub fn of_log(skill: &str, decision: Uuid) -> Vec<KeyValue> {
    vec![KeyValue::new(SKILL, skill.to_string()), KeyValue::new(DECISION_ID, decision.to_string())]
}

/// Of a request for a chat completion.
fn of_chat(model: &str, client: &ModelClient) -> Vec<KeyValue> {
    let url = &client.target().url;
    let mut all = vec![
        KeyValue::new(OPERATION, CHAT),
        KeyValue::new(PROVIDER, OPENAI),
        KeyValue::new(REQUEST_MODEL, model.to_string()),
    ];
    all.extend(url.host_str().map(|host| KeyValue::new("server.address", host.to_string())));
    all.extend(url.port_or_known_default().map(|port| KeyValue::new("server.port", i64::from(port))));
    all
}

fn integer(name: &'static str, number: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(number).unwrap_or(i64::MAX))
}
