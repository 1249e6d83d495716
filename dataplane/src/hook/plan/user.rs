//! What the user's word on an answer leads to.

use super::{NOTHING, Report, Say};
use crate::hook::{
    answer::HookAnswer,
    facts::Facts,
    state::{By, State, Verdict},
};

pub(super) fn rated(state: &State, right: bool, more: bool, facts: &Facts, reports: &mut Vec<Report>) -> Say {
    let verdict = Verdict { by: By::Human, right };
    if let Some(problem) = why_nothing(state, facts) {
        return Say::Answer(said(format!("routing: {problem}"), more));
    }
    reports.extend(report(state, verdict, ""));
    Say::Rating { more }
}

/// Why there is no answer that could be rated; none: there is one.
fn why_nothing(state: &State, facts: &Facts) -> Option<String> {
    let away = facts.calls.values().find_map(|known| known.as_ref().err());
    // A call that was answered later, and shown, is the last one.
    let answered_ms = state.last().map_or(0, |last| last.at_ms);
    let pending = state.pending.last().filter(|pending| pending.since_ms >= answered_ms);
    match (pending, away) {
        (Some(_), Some(problem)) => return Some(format!("not reported: {problem}")),
        (Some(pending), None) => {
            let skill = &pending.skill;
            return Some(format!("{NOTHING} yet: the brain knows of no answer to the last call of {skill}"));
        }
        (None, _) => {}
    }
    match (state.failed, state.answers.is_empty()) {
        (true, _) => Some(format!("{NOTHING}: the last routed call failed, and an error is no answer")),
        (false, true) => Some(format!("{NOTHING}: no routed call was answered in this session")),
        (false, false) => None,
    }
}

/// The prompt goes on, or ends here.
pub(super) fn said(text: String, more: bool) -> HookAnswer {
    if more { HookAnswer::Show(text) } else { HookAnswer::End(text) }
}

/// A report on the last answer.
pub(super) fn report(state: &State, verdict: Verdict, basis: &'static str) -> Option<Report> {
    let last = state.last()?;
    Some(Report { decision: last.decision.clone(), skill: last.skill.clone(), verdict, basis })
}
