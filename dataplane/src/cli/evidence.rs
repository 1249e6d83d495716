//! `routing evidence show` and `routing evidence reset`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use crds::{nearest::meant, shown::printable, variables::Variables};
use serde_json::json;

use super::{
    CliError, Output,
    aligned::{age, aligned, rate},
    brain_at::{self, BrainAt},
};
use crate::{
    brain_client::{KnownAgreement, KnownModel, KnownRate, KnownSkill},
    clock,
    settings::environment::DEFAULT_BRAIN_URL,
};

/// Longest name that is shown, in characters.
const SHOWN: usize = 64;
/// Longest list of names that is shown, in characters.
const LIST_SHOWN: usize = 300;

#[derive(Args)]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Shows how often each model was right, with samples and 95 % interval
    Show(ShowArgs),
    /// Begins the evidence of a skill anew: its outcomes so far count no more. They are kept, and cannot be made to count again
    Reset(ResetArgs),
}

#[derive(Args)]
struct ShowArgs {
    /// Skill, for example debug [default: all]
    skill: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct ResetArgs {
    /// Skill, for example debug
    skill: String,
    /// Only the outcomes of this model, for example the one that was replaced
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Address of the brain; BRAIN_TOKEN holds its token [env: BRAIN_URL] [default: the first installation's]
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Common {
    fn brain(&self, variables: &Variables) -> Result<BrainAt, CliError> {
        let url = brain_at::given(self.brain_url.as_deref(), variables).unwrap_or(DEFAULT_BRAIN_URL);
        BrainAt::new(url, variables)
    }
}

pub(super) async fn run(args: &EvidenceArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    match &args.what {
        What::Show(args) => show(args, variables).await,
        What::Reset(args) => reset(args, variables).await,
    }
}

async fn show(args: &ShowArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let brain = args.common.brain(variables)?;
    let failed = |error| CliError::Message(format!("the evidence is not known: {}", brain.why(&error)));
    let mut skills = brain.client.evidence(None).await.map_err(failed)?;
    if let Some(asked) = &args.skill {
        if let Some(problem) = unknown(asked, &skills) {
            return Err(CliError::Message(format!("{problem}; the brain at {} was asked", brain.address)));
        }
        skills.retain(|known| known.skill == *asked);
    }
    match args.common.output {
        Output::Text => print!("{}", text(&skills, clock::now_ms())),
        Output::Json => println!("{}", json!({"skills": skills})),
    }
    Ok(ExitCode::SUCCESS)
}

async fn reset(args: &ResetArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let ResetArgs { skill, model, common } = args;
    let brain = common.brain(variables)?;
    let failed = |error| CliError::Message(format!("nothing was reset: {}", brain.why(&error)));
    let ended = brain.client.reset_evidence(skill, model.as_deref()).await.map_err(failed)?;
    if let Some(model) = model.as_deref().filter(|_| ended == 0) {
        let skills = brain.client.evidence(None).await.map_err(failed)?;
        unknown_model(skill, model, &skills).map_or(Ok(()), |problem| Err(CliError::Message(problem)))?;
    }
    let of = model.as_ref().map(|model| format!(" of {model}")).unwrap_or_default();
    match common.output {
        Output::Text => println!("reset: {skill}{of}; {ended} outcomes count no more"),
        Output::Json => println!("{}", json!({"skill": skill, "model": model, "ended": ended})),
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a skill of this name cannot be meant; none: there is evidence of it.
pub(super) fn unknown(skill: &str, known: &[KnownSkill]) -> Option<String> {
    let is = known.iter().any(|known| known.skill == skill);
    let names = known.iter().map(|known| known.skill.as_str());
    (!is).then(|| format!("the brain has no evidence of a skill {}{}", printable(skill, SHOWN), meant(skill, names)))
}

/// A misspelt name resets nothing, and a zero alone would not say why.
fn unknown_model(skill: &str, model: &str, known: &[KnownSkill]) -> Option<String> {
    let known = known.iter().find(|known| known.skill == skill)?;
    let names: Vec<&str> =
        known.models.iter().map(|known| known.model.as_str()).filter(|name| !name.is_empty()).collect();
    let all = if names.is_empty() { "none".into() } else { printable(&names.join(", "), LIST_SHOWN) };
    (!names.contains(&model)).then(|| {
        let (shown, meant) = (printable(model, SHOWN), meant(model, names.iter().copied()));
        format!("nothing was reset: --model: no outcome of a model {shown} counts for {skill}{meant}; in the last 7 days there were {all}")
    })
}

fn text(skills: &[KnownSkill], now_ms: u64) -> String {
    if skills.is_empty() {
        return "no evidence yet\n".into();
    }
    skills.iter().map(|known| skill_text(known, now_ms)).collect::<Vec<_>>().join("\n")
}

fn skill_text(known: &KnownSkill, now_ms: u64) -> String {
    let KnownSkill { skill, models, sources, agreement, decisions, since, .. } = known;
    let since = since.map(|since| age(now_ms.saturating_sub(since)));
    let since = since.map(|age| format!("; begun anew {age} ago")).unwrap_or_default();
    let by: Vec<String> =
        sources.iter().map(|(source, number)| format!("{} {number}", printable(source, SHOWN))).collect();
    let by = if by.is_empty() { "no verdicts".into() } else { format!("verdicts by {}", by.join(", ")) };
    let rows: Vec<Vec<String>> = models.iter().map(model_row).collect();
    let agreement: Vec<Vec<String>> = agreement.iter().map(agreement_row).collect();
    let skill = printable(skill, SHOWN);
    format!("{skill}: {decisions} model calls, {by}{since}\n{}{}", aligned(&rows), aligned(&agreement))
}

/// How far a source may be trusted: what people say is what is right.
fn agreement_row((source, KnownAgreement { same, of }): (&String, &KnownAgreement)) -> Vec<String> {
    let share = (*of > 0).then(|| *same as f64 / *of as f64);
    vec![format!("{} agrees with people:", printable(source, SHOWN)), rate(share, Some(*of))]
}

fn model_row(known: &KnownModel) -> Vec<String> {
    let KnownModel { arm, model, rate: of_model, decisions } = known;
    let name = if model.is_empty() { "(decision not known)".into() } else { printable(model, SHOWN) };
    vec![printable(arm, SHOWN), name, shown(*of_model), format!("{decisions} calls")]
}

fn shown(of_model: KnownRate) -> String {
    rate(of_model.pass_rate, Some(of_model.samples()))
}
