//! `routing outcome`.

use std::process::ExitCode;

use crds::{shown, table::BrainTarget, variables::Variables};
use serde::Serialize;
use serde_json::json;
use url::Url;

use super::{CliError, OutcomeArgs, OutcomeName, Output};
use crate::{
    brain_client::{BrainClient, BrainError},
    settings::environment::DEFAULT_BRAIN_URL,
};

/// The arguments of `session_log`.
#[derive(Serialize)]
struct OutcomeEntry<'a> {
    skill: &'a str,
    phase: &'static str,
    final_status: &'static str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
}

pub(super) async fn run(args: &OutcomeArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let OutcomeArgs { skill, outcome, decision, session, brain_url, output } = args;
    let brain_url = brain_url.as_deref().or_else(|| variables.get("BRAIN_URL")).unwrap_or(DEFAULT_BRAIN_URL);
    let address = shown::url(brain_url);
    let url = Url::parse(brain_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| CliError::Message(format!("--brain-url: {address}: must be an http or https URL")))?;
    let token = variables.get("BRAIN_TOKEN").map(|token| token.trim().into());
    let brain = BrainClient::new(&BrainTarget { url, token: None }, token.as_ref(), super::http_client()?).patient();
    let final_status = match outcome {
        OutcomeName::Pass => "pass",
        OutcomeName::Fail => "fail",
    };
    let entry = OutcomeEntry {
        skill,
        phase: "outcome",
        final_status,
        session_id: session.as_deref().unwrap_or_default(),
        decision_id: decision.as_deref(),
    };
    let answer = brain.session_log(&entry).await.map_err(|error| {
        if let BrainError::Refused { reason } = error {
            return CliError::Message(format!("the outcome was not reported: the brain at {address} refused it: {reason}"));
        }
        CliError::Message(format!("the outcome was not reported: the brain at {address} {error}; check that it is running, and check --brain-url and BRAIN_TOKEN"))
    })?;
    let id = answer.pointer("/result/structuredContent/id");
    match output {
        Output::Text => println!("reported: {skill} {final_status}"),
        Output::Json => println!("{}", json!({"skill": skill, "final_status": final_status, "id": id})),
    }
    Ok(ExitCode::SUCCESS)
}
