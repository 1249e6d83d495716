//! What others send, read as the programs read it, by functions of the bytes alone: each calls what the program calls, in
//! the program's order, and leaves out what is written or asked in between. For `fuzz` alone, which states what holds for
//! whatever is sent.

use reqwest::{StatusCode, header::HeaderMap};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    brain_client::{self, prompt_entry},
    decide::Measured,
    hook::{self, Facts, Input, State},
    mcp_json, secrets,
    upstream::{
        Usage,
        answer::{self, Gateway},
    },
};

/// What a model's endpoint answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAnswer {
    /// The answer's text, or why there is none.
    pub text: Result<String, String>,
    /// What the call cost in US dollars, if the endpoint says it.
    pub cost_usd: Option<f64>,
    /// The model group that answered, if the endpoint says it.
    pub answered_by: Option<String>,
}

/// Reads what a model's endpoint answered to a call of `model`.
#[must_use]
pub fn model_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], model: &str) -> ModelAnswer {
    let gateway = Gateway::from_headers(headers);
    let answered_by = gateway.answered_by.clone();
    match answer::document(status, headers, body, model) {
        Ok(document) => ModelAnswer {
            text: answer::read(&document, gateway).map(|answer| answer.text).map_err(|error| error.to_string()),
            cost_usd: Usage::of(headers, &document, None).cost.map(|cost| cost.usd),
            answered_by,
        },
        Err(error) => ModelAnswer { text: Err(error.to_string()), cost_usd: None, answered_by },
    }
}

/// Reads what a brain answered to the question for a pass rate.
///
/// # Errors
/// Why it is none, as the end of a sentence about the brain.
pub fn pass_rate(body: &[u8]) -> Result<Measured, String> {
    brain_client::read_pass_rate(body).map_err(|error| error.to_string())
}

/// An entry of a session as a prompt shows it.
#[must_use]
pub fn session_entry(entry: &Value) -> Value {
    prompt_entry::prompt_entry(entry)
}

/// Reads the content of a secret's file.
///
/// # Errors
/// Why it holds no secret that can be used; no part of the content is in it.
pub fn secret(content: Vec<u8>) -> Result<SecretString, String> {
    secrets::of_content(content)
}

/// The text of a `.mcp.json` with these servers written into it.
///
/// # Errors
/// Why it cannot be updated.
pub fn mcp_json(before: &str, servers: &[(String, Value)]) -> Result<String, String> {
    mcp_json::with_servers(before, servers)
}

/// What an event of a Claude Code session leads to while the brain knows nothing: what is remembered of the session, as
/// JSON, and what Claude Code is told. None: the event has no session.
#[must_use]
pub fn hook_event(remembered: &[u8], event: &Value, now_ms: u64) -> Option<(Vec<u8>, Option<Value>)> {
    let Input { event, .. } = Input::read(event)?;
    let state: State = serde_json::from_slice(remembered).unwrap_or_default();
    let plan = hook::plan(event, state, &Facts { now_ms, ask: true, ..Facts::default() });
    let sent = vec![Ok("reported".to_string()); plan.reports.len()];
    let (state, answer) = hook::conclude(plan, &sent);
    Some((serde_json::to_vec(&state).unwrap_or_default(), answer.json()))
}
