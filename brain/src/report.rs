//! What calls did and cost, and what was saved: per skill and over all. No I/O.

mod saved;
mod series;
mod skill;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::{
    saved::{Basis, Saved},
    series::Series,
};
use crate::{
    spent::Line,
    store::{Agreement, Evidence, ModelRate, Sums},
};

/// What the counterfactual is, for whoever reads the number.
const COUNTERFACTUAL: &str = "Saved is what the calls that the local model answered would have cost on Claude, minus what \
    local attempts, shadow calls and judgements cost: at Claude's price when the call was made, for the tokens of the same \
    prompt and the mean length of Claude's answers to this skill (or of the local model's, where Claude has answered none; or \
    at the mean cost of Claude's calls of this skill, where the policy has no price). Answers that were judged wrong are among \
    them. The interval, if there is one, is that of the mean.";

/// A report on a span of time.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Report {
    /// Its begin, in milliseconds since 1970.
    pub since_ms: i64,
    /// Its end.
    pub until_ms: i64,
    /// The length as it was asked for, for example 7d.
    pub window: String,
    /// Over all skills.
    pub total: Figures,
    /// Each skill by its name.
    pub skills: Vec<SkillReport>,
    /// What `saved` compares with.
    pub counterfactual: &'static str,
}

/// A skill's part of a report.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct SkillReport {
    /// Its name.
    pub skill: String,
    /// What its calls did and cost.
    #[serde(flatten)]
    pub figures: Figures,
    /// How often each model was right.
    pub arms: Vec<ArmRate>,
    /// How many decisions were judged.
    pub coverage: Coverage,
    /// How each other source agrees with people.
    pub agreement: BTreeMap<&'static str, Agreement>,
    /// The pass rate of the local model in the period before.
    pub pass_rate_before: Option<f64>,
}

/// What calls did and cost.
#[derive(Serialize, Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Calls of callers.
    pub calls: i64,
    /// The part of the answers that the local model gave, from 0 to 1; none without answers.
    pub share_local: Option<f64>,
    /// What the model calls were for.
    pub lines: Vec<LineFigures>,
    /// Calls that Claude answered because the local model had failed or was not asked, and why.
    pub fallbacks: Fallbacks,
    /// Calls that Claude answered after a failed check.
    pub escalations: i64,
    /// Tokens of the local model and of Claude.
    pub tokens: ArmTokens,
    /// Cost of all model calls in US dollars; none if nothing is known of any.
    pub cost_usd: Option<f64>,
    /// None: not known.
    pub saved: Option<Saved>,
    /// The same in the period before, of the same length.
    pub before: Option<Before>,
}

/// The model calls of one kind.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct LineFigures {
    /// What they were for.
    pub line: Line,
    /// Their number.
    pub calls: i64,
    /// What they used.
    pub tokens: Tokens,
    /// None: not known of any call.
    pub cost_usd: Option<f64>,
    /// Calls whose cost is known.
    pub priced: i64,
}

/// Tokens, as far as endpoints reported them.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of prompts.
    #[serde(rename = "in")]
    pub prompt: i64,
    /// Of prompts, cached by the provider.
    pub cached: i64,
    /// Of answers.
    #[serde(rename = "out")]
    pub completion: i64,
}

/// Tokens of each arm.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmTokens {
    /// The local model's.
    pub local: Tokens,
    /// Claude's.
    pub claude: Tokens,
}

/// Calls that went on to Claude.
#[derive(Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// Their number.
    pub calls: i64,
    /// Kinds of errors of the local model, or why it was not asked, with their number.
    pub why: BTreeMap<String, i64>,
}

/// The period before.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct Before {
    /// Calls of callers.
    pub calls: i64,
    /// The part that the local model answered.
    pub share_local: Option<f64>,
    /// What all of it cost.
    pub cost_usd: Option<f64>,
    /// What was saved.
    pub saved_usd: Option<f64>,
}

/// How often one model was right.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct ArmRate {
    /// The model and its rate.
    #[serde(flatten)]
    pub rate: ModelRate,
    /// Its 95 % interval.
    pub interval: Option<crds::interval::Interval>,
}

/// How many decisions were judged.
#[derive(Serialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Answers with a verdict.
    pub judged: i64,
    /// Model calls.
    pub decisions: i64,
}

/// Sums and evidence of a span, and of the one before.
pub struct Known {
    pub(crate) now: Vec<Sums>,
    pub(crate) before: Vec<Sums>,
    /// By skill: of the span, and of the one before.
    pub(crate) evidence: BTreeMap<String, (Evidence, Evidence)>,
}

impl Report {
    /// The report on what is known of a span.
    pub(crate) fn of(known: &Known, (since_ms, until_ms): (i64, i64), window: &str) -> Self {
        let names: std::collections::BTreeSet<&String> =
            known.now.iter().chain(&known.before).map(|sums| &sums.skill).chain(known.evidence.keys()).collect();
        let skills: Vec<SkillReport> = names.into_iter().map(|name| skill::report(name, known)).collect();
        let total = total(known, &skills);
        Self { since_ms, until_ms, window: window.into(), total, skills, counterfactual: COUNTERFACTUAL }
    }
}

/// Savings are added per skill, because each has its own usual length.
fn total(known: &Known, skills: &[SkillReport]) -> Figures {
    let sums: Vec<&Sums> = known.now.iter().collect();
    let before: Vec<&Sums> = known.before.iter().collect();
    let saved = Saved::all(skills.iter().filter_map(|skill| skill.figures.saved));
    let saved_before = skills.iter().filter_map(|skill| skill.figures.before?.saved_usd);
    let saved_before = saved_before.reduce(|all, one| all + one);
    let figures = skill::figures(&sums, saved);
    Figures { before: skill::before(&before, saved_before), ..figures }
}

#[cfg(test)]
mod tests;
