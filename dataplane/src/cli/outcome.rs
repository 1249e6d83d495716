//! `routing outcome`.

use std::process::ExitCode;

use crds::{shown::printable, variables::Variables};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    CliError, OutcomeArgs, OutcomeName, Output,
    brain_at::{self, BrainAt},
};
use crate::settings::environment::DEFAULT_BRAIN_URL;

/// Where an answer of the brain says what it has logged.
const LOGGED: &str = "/result/_meta/routing.hyperguild.io~1logged";
/// The status that takes a verdict back.
const RETRACT: &str = "retract";
/// Longest text of the brain that is printed, in characters.
const TOLD_MAX: usize = 500;

/// The arguments of `session_log`.
#[derive(Serialize)]
struct OutcomeEntry<'a> {
    skill: &'a str,
    phase: &'static str,
    final_status: &'static str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

pub(super) async fn run(args: &OutcomeArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let OutcomeArgs { skill, outcome, decision, session, source, brain_url, output } = args;
    let brain_url = brain_at::given(brain_url.as_deref(), variables).unwrap_or(DEFAULT_BRAIN_URL);
    let brain = BrainAt::new(brain_url, variables)?;
    let final_status = match outcome {
        OutcomeName::Pass => "pass",
        OutcomeName::Fail => "fail",
        OutcomeName::Retract => RETRACT,
    };
    let entry = OutcomeEntry {
        skill,
        phase: "outcome",
        final_status,
        session_id: session.as_deref().unwrap_or_default(),
        decision_id: decision.as_deref(),
        source: source.as_deref(),
    };
    let answer = brain
        .client
        .session_log(&entry)
        .await
        .map_err(|error| CliError::Message(format!("the outcome was not reported: {}", brain.why(&error))))?;
    let logged = answer.pointer(LOGGED).cloned().unwrap_or_default();
    match output {
        Output::Text => println!("{}{}", reported(skill, final_status), told(&answer)),
        Output::Json => println!(
            "{}",
            json!({"skill": skill, "final_status": final_status, "id": logged["id"],
                "before": logged["before"], "after": logged["after"]})
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn reported(skill: &str, final_status: &str) -> String {
    if final_status == RETRACT { format!("retracted: {skill}") } else { format!("reported: {skill} {final_status}") }
}

/// What changed, in the brain's words, on a line of its own; another brain may say nothing.
fn told(answer: &Value) -> String {
    let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
    let change = text.filter(|_| answer.pointer(LOGGED).is_some()).and_then(|text| text.split_once(". "));
    change.map_or_else(String::new, |(_, change)| format!("\n{}", printable(change, TOLD_MAX)))
}
