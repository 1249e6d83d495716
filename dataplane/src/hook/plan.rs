//! From an event and what is known to what is reported, remembered and said.

use super::{
    answer::HookAnswer,
    event::{Call, Event},
    facts::Facts,
    line,
    question::{self, Told},
    rating::Spoken,
    state::{By, State, Verdict},
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
            state.answered(known.text("id"), known.text("skill"), facts.now_ms);
        }
    }
    state
}

/// The last answer, once it is known what became of the calls.
pub fn last_decision(state: &State, facts: &Facts) -> Option<String> {
    resolved(state.clone(), facts).last().map(|last| last.decision.clone())
}

fn answered(state: &mut State, call: &Call, facts: &Facts) -> HookAnswer {
    let known = facts.calls.get(&call.id);
    if let Some(known) = known.and_then(|known| line::answering(known.as_ref().ok()?)) {
        state.answered(known.text("id"), known.text("skill"), facts.now_ms);
        return HookAnswer::Show(line::shown(known));
    }
    state.waits_for(&call.id, &call.skill, facts.now_ms);
    // It is the last thing now, and what was before it is not rated in its place.
    state.failed = false;
    let problem = match known {
        None => return HookAnswer::Nothing,
        Some(Err(problem)) => problem.clone(),
        Some(Ok(_)) => {
            "the brain does not know this call: the plugin's brain_url and the policy's brain.url must be the \
                        same brain, and no earlier version"
                .into()
        }
    };
    warned(state, &problem)
}

/// Once in a session.
fn warned(state: &mut State, problem: &str) -> HookAnswer {
    if std::mem::replace(&mut state.warned, true) {
        return HookAnswer::Nothing;
    }
    HookAnswer::Show(format!("routing: {problem}. Until then no line says where calls go, and +1 / -1 reach nobody."))
}

fn failed(state: &mut State) -> Say {
    state.failed = true;
    nothing()
}

fn rated(state: &State, right: bool, more: bool, facts: &Facts, reports: &mut Vec<Report>) -> Say {
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
    match (state.pending.last(), away) {
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
fn said(text: String, more: bool) -> HookAnswer {
    if more { HookAnswer::Show(text) } else { HookAnswer::End(text) }
}

/// A report on the last answer.
fn report(state: &State, verdict: Verdict, basis: &'static str) -> Option<Report> {
    let last = state.last()?;
    Some(Report { decision: last.decision.clone(), skill: last.skill.clone(), verdict, basis })
}

/// Red before the answer and green after it. Nothing is concluded from red.
fn tested(state: &mut State, test: &str, green: bool, facts: &Facts, reports: &mut Vec<Report>) -> Say {
    let stronger = |verdicts: &std::collections::BTreeMap<String, String>| {
        ["human", "ci", "review"].iter().any(|source| verdicts.contains_key(*source))
    };
    let open = facts.verdicts.as_ref().is_some_and(|verdicts| !stronger(verdicts));
    if green && open && state.judged_by(test).is_some() {
        reports.extend(report(state, Verdict { by: By::Ci, right: true }, TEST_AFTER));
    }
    state.tested(test, green);
    Say::Reported
}

fn reverted(state: &State, facts: &Facts, reports: &mut Vec<Report>) -> Say {
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
fn stopped(state: &mut State, again: bool, told: Option<Told>, facts: &Facts, reports: &mut Vec<Report>) -> Say {
    let asking = state.asking.take();
    if again {
        reports.extend(asking.and_then(|decision| agents(state, &decision, told?)));
        return Say::Reported;
    }
    let silent = facts.verdicts.as_ref().is_some_and(std::collections::BTreeMap::is_empty);
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
