//! Reports what tests or reverts say of the decisions that commits name.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use crds::{policy::Source, shown::printable};
use serde::Serialize;
use serde_json::json;

use super::{OutcomeEntry, commits::Commit};
use crate::{
    brain_client::BrainError,
    cli::{CliError, Output, aligned::aligned, brain_at::BrainAt},
    verdict::OUTCOME,
};

/// Longest id that is shown, in characters.
const SHOWN: usize = 64;

/// A decision that a commit names, and what became of its report.
#[derive(Serialize)]
struct Reported<'a> {
    commit: &'a str,
    decision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    skill: Option<&'a str>,
    /// Why it was not reported; none: it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Reports `final_status` on each decision that these commits name. `read` says which commits these are.
pub(super) async fn report(
    brain: &BrainAt,
    commits: &[Commit],
    final_status: &'static str,
    read: &str,
    output: Output,
) -> Result<ExitCode, CliError> {
    let named = named(commits);
    let skills = if named.is_empty() { BTreeMap::new() } else { skills(brain, &named).await? };
    let mut reports = vec![];
    for &(decision, commit) in &named {
        let skill = skills.get(decision).map(String::as_str);
        let problem = one(brain, skill, decision, final_status).await;
        reports.push(Reported { commit: commit.short(), decision, skill, problem });
    }
    match output {
        Output::Text => print!("{}", text(&reports, commits.len(), final_status, read)),
        Output::Json => println!(
            "{}",
            json!({"final_status": final_status, "source": Source::Ci, "commits": commits.len(), "decisions": reports})
        ),
    }
    let all = reports.iter().all(|report| report.problem.is_none());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each decision once, with the latest commit that names it.
fn named(commits: &[Commit]) -> Vec<(&str, &Commit)> {
    let mut seen = BTreeSet::new();
    let all = commits.iter().flat_map(|commit| commit.decisions.iter().map(move |id| (id.as_str(), commit)));
    all.filter(|(id, _)| seen.insert(*id)).collect()
}

/// The skills of these decisions, as far as the brain knows them.
async fn skills(brain: &BrainAt, named: &[(&str, &Commit)]) -> Result<BTreeMap<String, String>, CliError> {
    let failed = |error: BrainError| CliError::Message(format!("nothing was reported: {}", brain.why(&error)));
    if !brain.client.takes_sources().await {
        let address = &brain.address;
        return Err(CliError::Message(format!(
            "nothing was reported: the brain at {address} does not take the source of an outcome; update it"
        )));
    }
    let mut found = BTreeMap::new();
    for (id, _) in named {
        let known = brain.client.decision(id).await.map_err(failed)?;
        found.extend(known.map(|known| ((*id).to_string(), known.text("skill").to_string())));
    }
    Ok(found)
}

/// Why it was not reported.
async fn one(brain: &BrainAt, skill: Option<&str>, decision: &str, final_status: &'static str) -> Option<String> {
    let Some(skill) = skill else {
        return Some("the brain does not know this decision".into());
    };
    let entry = OutcomeEntry {
        skill,
        phase: OUTCOME,
        final_status,
        session_id: "",
        decision_id: Some(decision),
        source: Some(Source::Ci.as_str()),
        message: "",
    };
    brain.client.session_log(&entry).await.err().map(|error| brain.why(&error))
}

fn text(reports: &[Reported<'_>], commits: usize, final_status: &str, read: &str) -> String {
    if reports.is_empty() {
        return format!("nothing to report: none of {commits} {read} has a trailer Routing-Decision\n");
    }
    let row = |report: &Reported<'_>| {
        let result =
            report.problem.as_ref().map_or_else(|| "reported".into(), |problem| format!("NOT REPORTED: {problem}"));
        let skill = printable(report.skill.unwrap_or("-"), SHOWN);
        vec![report.commit.into(), printable(report.decision, SHOWN), skill, result]
    };
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    let done = reports.iter().filter(|report| report.problem.is_none()).count();
    format!(
        "reported: {final_status} by {} on {done} of {} decisions in {commits} {read}\n{}",
        Source::Ci.as_str(),
        reports.len(),
        aligned(&rows)
    )
}
