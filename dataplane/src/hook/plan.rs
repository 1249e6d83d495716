//! From an event and what is known to what is reported, remembered and said.

mod calls;
mod unasked;
mod user;

use self::{
    calls::{answered, failed, warned},
    unasked::{reverted, stopped, tested},
    user::{rated, said},
};
use super::{
    answer::HookAnswer,
    event::Event,
    facts::Facts,
    line,
    rating::Spoken,
    state::{State, Verdict},
};

/// Why a report was made, for those who read the brain's entries.
const TEST_AFTER: &str = "test_after";
const REVERTED: &str = "reverted";
/// Said of something that is not there.
const NOTHING: &str = "nothing to rate";

/// A verdict for the brain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub decision: String,
    pub skill: String,
    pub verdict: Verdict,
    /// What it rests on, if not on somebody's word.
    pub basis: &'static str,
}

/// What to do about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub state: State,
    pub reports: Vec<Report>,
    say: Say,
}

/// What to say once the reports are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Say {
    /// Whatever became of the reports.
    Answer(HookAnswer),
    /// What became of the user's rating; `more`: the prompt goes on to the model.
    Rating { more: bool },
    /// What was reported by itself.
    Reported,
}

/// What an event leads to.
pub fn plan(event: Event, state: State, facts: &Facts) -> Plan {
    let mut state = resolved(state, facts);
    if facts.away {
        state.away_ms = facts.now_ms;
    }
    let mut reports = vec![];
    let say = match event {
        Event::Answered(call) => Say::Answer(answered(&mut state, &call, facts)),
        Event::Failed => failed(&mut state),
        Event::Spoken(Spoken::Status) => Say::Answer(HookAnswer::End(facts.status.clone())),
        Event::Spoken(Spoken::Rated { right, more }) => rated(&state, right, more, facts, &mut reports),
        Event::Tested(test, green) => tested(&mut state, &test, green, facts, &mut reports),
        Event::MayHaveReverted => reverted(&state, facts, &mut reports),
        Event::Stopped { again, told } => stopped(&mut state, again, told, facts, &mut reports),
        Event::Started if facts.second_server => Say::Answer(HookAnswer::Show(SECOND_SERVER.into())),
        Event::Prompt => {
            state.asking = None;
            nothing()
        }
        Event::Started | Event::Ended | Event::Other => nothing(),
    };
    Plan { state, reports, say }
}

/// Said when a session begins.
const SECOND_SERVER: &str = "routing: this project's .mcp.json has a server `routing`, too, so every skill is there twice; \
     remove it from .mcp.json, or disable the plugin here";

fn nothing() -> Say {
    Say::Answer(HookAnswer::Nothing)
}

/// Calls that went on in the background have become answers by now.
fn resolved(mut state: State, facts: &Facts) -> State {
    state.forget_old_pending(facts.now_ms);
    for pending in state.pending.clone() {
        let known = facts.calls.get(&pending.call).and_then(|known| line::answering(known.as_ref().ok()?));
        if let Some(known) = known {
            state.forget_pending(&pending.call);
            state.answered_after(known.text("id"), known.text("skill"), facts.now_ms, pending.red);
        }
    }
    state
}

/// The last answer, once it is known what became of the calls.
pub fn last_decision(state: &State, facts: &Facts) -> Option<String> {
    resolved(state.clone(), facts).last().map(|last| last.decision.clone())
}

/// What is remembered and said once the reports are sent: of each what changed, or why it was not taken.
pub fn conclude(plan: Plan, sent: &[Result<String, String>]) -> (State, HookAnswer) {
    let Plan { mut state, reports, say } = plan;
    for (report, _) in reports.iter().zip(sent).filter(|(_, sent)| sent.is_ok()) {
        state.judge(&report.decision, report.verdict);
        if report.basis == REVERTED {
            state.note_reverted(&report.decision);
        }
    }
    let answer = match say {
        Say::Answer(answer) => answer,
        Say::Rating { more } => said(rating(sent), more),
        Say::Reported => by_itself(&mut state, &reports, sent),
    };
    (state, answer)
}

fn rating(sent: &[Result<String, String>]) -> String {
    match sent.first() {
        Some(Ok(changed)) => format!("routing: {changed}"),
        Some(Err(problem)) => format!("routing: not reported: {problem}"),
        None => format!("routing: {NOTHING}"),
    }
}

/// What was reported, or once a session why it was not.
fn by_itself(state: &mut State, reports: &[Report], sent: &[Result<String, String>]) -> HookAnswer {
    let because = |report: &Report| match (report.verdict.by, report.basis) {
        (_, TEST_AFTER) => "a test that was red is green",
        (_, REVERTED) => "its commit was reverted",
        _ => "by the model's own word",
    };
    let told = reports.iter().zip(sent).filter_map(|(report, sent)| {
        let changed = sent.as_ref().ok()?;
        Some(format!("routing, {}: {changed}", because(report)))
    });
    let told: Vec<String> = told.collect();
    match sent.iter().find_map(|sent| sent.as_ref().err()) {
        Some(problem) if told.is_empty() => warned(state, problem),
        _ if told.is_empty() => HookAnswer::Nothing,
        _ => HookAnswer::Show(told.join("\n")),
    }
}
