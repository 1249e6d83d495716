//! What reports itself: tests, reverts, and the model's own word.

use std::collections::BTreeMap;

use super::{REVERTED, Report, Say, TEST_AFTER, nothing, user::report};
use crate::hook::{
    answer::HookAnswer,
    facts::Facts,
    question::{self, Told},
    state::{By, State, Verdict},
};

/// Red before the answer and green after it. Nothing is concluded from red.
pub(super) fn tested(state: &mut State, test: &str, green: bool, facts: &Facts, reports: &mut Vec<Report>) -> Say {
    let stronger = |verdicts: &BTreeMap<String, String>| {
        ["human", "ci", "review"].iter().any(|source| verdicts.contains_key(*source))
    };
    let open = facts.verdicts.as_ref().is_some_and(|verdicts| !stronger(verdicts));
    if green && open && state.judged_by(test).is_some() {
        reports.extend(report(state, Verdict { by: By::Ci, right: true }, TEST_AFTER));
    }
    state.tested(test, green);
    Say::Reported
}

pub(super) fn reverted(state: &State, facts: &Facts, reports: &mut Vec<Report>) -> Say {
    let new = facts.reverted.iter().filter(|(decision, _)| !state.reverted.contains(decision));
    let verdict = Verdict { by: By::Ci, right: false };
    reports.extend(new.map(|(decision, skill)| Report {
        decision: decision.clone(),
        skill: skill.clone(),
        verdict,
        basis: REVERTED,
    }));
    Say::Reported
}

/// The model is asked once, and only if nobody has said anything.
pub(super) fn stopped(
    state: &mut State,
    again: bool,
    told: Option<Told>,
    facts: &Facts,
    reports: &mut Vec<Report>,
) -> Say {
    let asking = state.asking.take();
    if again {
        reports.extend(asking.and_then(|decision| agents(state, &decision, told?)));
        return Say::Reported;
    }
    let silent = facts.verdicts.as_ref().is_some_and(BTreeMap::is_empty);
    let unjudged = state.last().filter(|last| last.verdict.is_none() && state.pending.is_empty());
    let Some(last) = unjudged.filter(|_| facts.ask && silent && !state.asked) else { return nothing() };
    let (decision, skill) = (last.decision.clone(), last.skill.clone());
    (state.asked, state.asking) = (true, Some(decision));
    Say::Answer(HookAnswer::Ask(question::ask(&skill)))
}

/// The model's own word, if it is on the answer that it was asked about, and knows.
fn agents(state: &State, decision: &str, told: Told) -> Option<Report> {
    let verdict = Verdict { by: By::Agent, right: told.right? };
    let same = state.last().is_some_and(|last| last.decision == decision && last.skill == told.skill);
    report(state, verdict, "").filter(|_| same)
}
