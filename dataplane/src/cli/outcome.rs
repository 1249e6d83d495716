//! `routing outcome`.

use std::process::ExitCode;

use crds::{
    shown::{self, printable},
    table::BrainTarget,
    variables::Variables,
};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{CliError, OutcomeArgs, OutcomeName, Output};
use crate::{
    brain_client::{BrainClient, BrainError},
    settings::environment::DEFAULT_BRAIN_URL,
};

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
    let brain_url = brain_url.as_deref().or_else(|| variables.get("BRAIN_URL")).unwrap_or(DEFAULT_BRAIN_URL);
    let address = shown::url(brain_url);
    let url = Url::parse(brain_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| CliError::Message(format!("--brain-url: {address}: must be an http or https URL")))?;
    let token = variables.get("BRAIN_TOKEN").map(|token| token.trim().into());
    let brain = BrainClient::new(&BrainTarget { url, token: None }, token.as_ref(), super::http_client()?).patient();
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
    let answer = brain.session_log(&entry).await.map_err(|error| {
        if let BrainError::Refused { reason } = error {
            return CliError::Message(format!("the outcome was not reported: the brain at {address} refused it: {reason}"));
        }
        CliError::Message(format!("the outcome was not reported: the brain at {address} {error}; check that it is running, and check --brain-url and BRAIN_TOKEN"))
    })?;
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
