//! `routing outcome`.

mod ci;
pub(super) mod commits;

use std::process::ExitCode;

use crds::{shown::printable, variables::Variables};
use serde::Serialize;
use serde_json::{Value, json};

use self::commits::CommitsError;
use super::{
    CiResult, CliError, OutcomeArgs, OutcomeName, Output,
    brain_at::{self, BrainAt},
    evidence::unknown,
};
use crate::{settings::environment::DEFAULT_BRAIN_URL, verdict::OUTCOME};

/// Where an answer of the brain says what it has logged.
pub(super) const LOGGED: &str = "/result/_meta/routing.hyperguild.io~1logged";
const PASS: &str = "pass";
const FAIL: &str = "fail";
/// The status that takes a verdict back.
const RETRACT: &str = "retract";
/// Longest id of a decision that is shown, in characters.
const DECISION_SHOWN: usize = 64;
/// Longest text of the brain that is printed, in characters.
const TOLD_MAX: usize = 500;

/// The arguments of `session_log`.
#[derive(Serialize)]
pub(super) struct OutcomeEntry<'a> {
    pub(super) skill: &'a str,
    pub(super) phase: &'static str,
    pub(super) final_status: &'static str,
    pub(super) session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) message: &'static str,
}

pub(super) async fn run(args: &OutcomeArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let brain_url = brain_at::given(args.brain_url.as_deref(), variables).unwrap_or(DEFAULT_BRAIN_URL);
    let brain = BrainAt::new(brain_url, variables)?;
    let of_option = |option: &'static str| move |error: CommitsError| CliError::Message(format!("{option}: {error}"));
    if let Some(range) = &args.commits {
        let commits = commits::of_range(range).await.map_err(of_option("--commits"))?;
        let result = if matches!(args.ci, Some(CiResult::Pass)) { PASS } else { FAIL };
        return ci::report(&brain, &commits, result, "commits", args.output).await;
    }
    if let Some(range) = &args.reverts {
        let (commits, missing) = commits::reverted_in(range).await.map_err(of_option("--reverts"))?;
        for name in missing {
            eprintln!(
                "the reverted commit {name} is not in this repository: fetch the history before it, if it has one"
            );
        }
        return ci::report(&brain, &commits, FAIL, "reverted commits", args.output).await;
    }
    if let (true, Some(decision)) = (args.retract, &args.decision) {
        let skill = skill_of(&brain, args.skill.as_deref(), decision).await?;
        return one(&brain, &skill, RETRACT, args).await;
    }
    // Without a range clap lets nothing pass that has not both.
    let (Some(skill), Some(outcome)) = (&args.skill, args.outcome) else {
        return Err(CliError::Message("SKILL and OUTCOME are missing".into()));
    };
    let final_status = match outcome {
        OutcomeName::Pass => PASS,
        OutcomeName::Fail => FAIL,
    };
    one(&brain, skill, final_status, args).await
}

/// The skill that a decision is about: as given, or as the brain knows it.
async fn skill_of(brain: &BrainAt, given: Option<&str>, decision: &str) -> Result<String, CliError> {
    if let Some(skill) = given {
        return Ok(skill.into());
    }
    let failed = |problem| CliError::Message(format!("nothing was taken back: {problem}"));
    let known = brain.client.decision(decision).await.map_err(|error| failed(brain.why(&error)))?;
    let unknown = || {
        let shown = printable(decision, DECISION_SHOWN);
        failed(format!("the brain does not know the decision {shown}; name its skill: routing outcome SKILL --retract"))
    };
    known.map(|known| known.text("skill").to_string()).ok_or_else(unknown)
}

/// Reports one outcome, or takes it back.
async fn one(
    brain: &BrainAt,
    skill: &str,
    final_status: &'static str,
    args: &OutcomeArgs,
) -> Result<ExitCode, CliError> {
    if !args.new_skill
        && final_status != RETRACT
        && let Err(unknown) = refuse_unknown(brain, skill).await
        && !arrives(brain, args.decision.as_deref()).await
    {
        return Err(unknown);
    }
    let OutcomeArgs { decision, session, source, output, .. } = args;
    let entry = OutcomeEntry {
        skill,
        phase: OUTCOME,
        final_status,
        session_id: session.as_deref().unwrap_or_default(),
        decision_id: decision.as_deref(),
        source: source.as_deref(),
        message: "",
    };
    let failed = if final_status == RETRACT { "nothing was taken back" } else { "the outcome was not reported" };
    let problem = |error| CliError::Message(format!("{failed}: {}", brain.why(&error)));
    let answer = brain.client.session_log(&entry).await.map_err(problem)?;
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

/// Whether the brain knows a decision, or soon does: then it refuses a skill that is not the decision's.
async fn arrives(brain: &BrainAt, decision: Option<&str>) -> bool {
    match decision {
        Some(id) => matches!(brain.client.decision_on_its_way(id).await, Ok(Some(_))),
        None => false,
    }
}

/// A typing error would open a skill of its own. What another brain knows is not asked: it takes any skill.
async fn refuse_unknown(brain: &BrainAt, skill: &str) -> Result<(), CliError> {
    let Ok(known) = brain.client.evidence(None).await else { return Ok(()) };
    let refused = |problem| {
        CliError::Message(format!("the outcome was not reported: {problem}; if it is new, report it with --new-skill"))
    };
    unknown(skill, &known).map_or(Ok(()), |problem| Err(refused(problem)))
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
