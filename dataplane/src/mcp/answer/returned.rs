//! The text of work that is returned to the caller: why, the skill's instructions, and the material by reference, because
//! the caller has it: it sent it. No I/O.

mod material;

use crds::policy::DecisionLine;

use super::imitation;
use crate::{call::Work, decide::Reason, decision::DecisionRecord};

/// Most characters of the instructions: clients put a result of more than 50,000 into a file.
const INSTRUCTIONS_MAX: usize = 42_000;

/// The text, at most 50,000 characters with the decision line before it.
pub(super) fn text(skill: &str, work: &Work, decisions: &[DecisionRecord], line: DecisionLine) -> String {
    let instructions = cut(&imitation::quoted(&work.instructions));
    let material = material::lines(&work.arguments, &work.filled);
    let report = match line {
        DecisionLine::Show => {
            "\n\nWhen you know how it turned out, report it as the first line says. It counts for you."
        }
        DecisionLine::Hide => "",
    };
    format!(
        "{skill}: {}: do this yourself.\n\nInstructions of the skill. They are written for a model that has nothing but the material and no tools; \
         use yours.\n\n{instructions}\n\n\
         Material of your call:\n{material}\n\nFollow the instructions with this material now, and \
         answer as they say; do not call {skill} again for it.{report}",
        why(decisions)
    )
}

fn cut(instructions: &str) -> String {
    let all = instructions.chars().count();
    if all <= INSTRUCTIONS_MAX {
        return instructions.trim_end().into();
    }
    let kept: String = instructions.chars().take(INSTRUCTIONS_MAX).collect();
    format!("{kept}\n[cut here: these are the first {INSTRUCTIONS_MAX} of {all} characters]")
}

/// Why the local model did not do it, or what it did was not enough.
fn why(decisions: &[DecisionRecord]) -> String {
    let Some(record) = decisions.last() else { return "no model does this".into() };
    match record.reason {
        Reason::Pinned => "the policy leaves this skill to you".into(),
        Reason::BelowCeil => format!("{} right too seldom here{}", whose(record), rate(record)),
        Reason::Split => format!("{} right here often enough only for every other call{}", whose(record), rate(record)),
        Reason::Explored => {
            "the policy leaves a share of the calls to you, so that it is known how often you are right".into()
        }
        Reason::AfterLocalError => format!("the local model failed{}", failed(decisions)),
        Reason::LocalCircuitOpen => {
            "the local model has failed several times in a row and is not asked for a while".into()
        }
        Reason::LocalBusy => "the local model has too many calls at this time".into(),
        Reason::FailedCheck => "the answer of the local model failed the check of this skill".into(),
        Reason::NoPassRate | Reason::TooFewSamples | Reason::AtOrAboveFloor => "this call is yours".into(),
    }
}

/// Whose rate it is: the local model's, or that of the skill, whoever did its work.
fn whose(record: &DecisionRecord) -> &'static str {
    if record.basis.evidence_of.is_some() { "the local model is" } else { "answers are" }
}

fn rate(record: &DecisionRecord) -> String {
    let samples = record.samples.map(|samples| format!(" of {samples}")).unwrap_or_default();
    record.effective_rate.map(|rate| format!(" ({rate:.2}{samples})")).unwrap_or_default()
}

fn failed(decisions: &[DecisionRecord]) -> String {
    let error = decisions.iter().rev().find_map(|record| record.error);
    error.map(|kind| format!(" ({kind})")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
