//! Whole sessions, event by event.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    event::Call,
    question::Told,
    rating::Spoken,
    state::{By, Verdict},
    *,
};
use crate::brain_client::KnownDecision;

const TEST: &str = "hash-of-a-test";

/// A session with a brain that takes every report.
struct Session {
    state: State,
    facts: Facts,
    reports: Vec<Report>,
}

fn call(id: &str) -> Call {
    Call { id: id.into(), skill: "debug".into(), in_background: false }
}

fn rated(right: bool) -> Event {
    Event::Spoken(Spoken::Rated { right, more: false })
}

fn stopped(again: bool, told: Option<(&str, Option<bool>)>) -> Event {
    Event::Stopped { again, told: told.map(|(skill, right)| Told { skill: skill.into(), right }) }
}

impl Session {
    fn new() -> Self {
        let facts = Facts { now_ms: 1, ask: true, verdicts: Some(BTreeMap::new()), ..Facts::default() };
        Self { state: State::default(), facts, reports: vec![] }
    }

    /// The brain knows the decision `d-ID` for the call ID.
    fn knows(&mut self, id: &str, skill: &str) {
        let decision = json!({"id": format!("d-{id}"), "skill": skill, "decision": "local", "model": "q",
            "reason": "split", "pass_rate": 0.8, "samples": 10});
        let known = KnownDecision { decision, ..KnownDecision::default() };
        self.facts.calls.insert(id.into(), Ok(vec![known]));
    }

    fn event(&mut self, event: Event) -> HookAnswer {
        let plan = plan(event, self.state.clone(), &self.facts);
        let sent: Vec<_> = plan.reports.iter().map(|_| Ok("changed".to_string())).collect();
        self.reports.extend(plan.reports.clone());
        let (state, answer) = conclude(plan, &sent);
        self.state = state;
        answer
    }

    fn answered(&mut self, id: &str) -> HookAnswer {
        self.knows(id, "debug");
        self.event(Event::Answered(call(id)))
    }

    /// Decision, source and verdict of each report.
    fn reported(&self) -> Vec<(&str, &'static str, bool)> {
        let of = |report: &'_ Report| (report.verdict.by.as_str(), report.verdict.right);
        self.reports.iter().map(|report| (report.decision.as_str(), of(report).0, of(report).1)).collect()
    }
}

fn end(text: &str) -> HookAnswer {
    HookAnswer::End(text.into())
}

fn ends_with_nothing_to_rate(answer: &HookAnswer) -> bool {
    matches!(answer, HookAnswer::End(text) if text.contains("nothing to rate"))
}

#[test]
fn a_call_is_shown_and_a_rating_is_of_the_last_one_and_the_later_word_is_sent_too() {
    let mut it = Session::new();
    assert_eq!(it.answered("1"), HookAnswer::Show("debug: local, q, 0.80 of 10; rate it: +1 / -1".into()));
    it.answered("2");
    assert_eq!(it.event(rated(true)), end("routing: changed"));
    it.event(rated(false));
    assert_eq!(it.reported(), [("d-2", "human", true), ("d-2", "human", false)]);
    let words = Event::Spoken(Spoken::Rated { right: true, more: true });
    assert_eq!(it.event(words), HookAnswer::Show("routing: changed".into()), "the prompt goes on");
}

#[test]
fn without_an_answer_there_is_nothing_to_rate() {
    let mut it = Session::new();
    assert!(ends_with_nothing_to_rate(&it.event(rated(true))));
    it.answered("1");
    it.event(Event::Failed);
    assert!(ends_with_nothing_to_rate(&it.event(rated(false))), "an error came after it");
    assert_eq!(it.reported(), []);
    it.answered("2");
    it.event(rated(false));
    assert_eq!(it.reported(), [("d-2", "human", false)]);
}

#[test]
fn a_call_in_the_background_becomes_the_last_answer_once_the_brain_knows_it() {
    let mut it = Session::new();
    it.answered("1");
    assert_eq!(it.event(Event::Answered(Call { in_background: true, ..call("2") })), HookAnswer::Nothing);
    assert!(ends_with_nothing_to_rate(&it.event(rated(true))), "the one before it is not rated in its place");
    it.knows("2", "debug");
    it.event(Event::Prompt);
    it.event(rated(true));
    assert_eq!(it.reported(), [("d-2", "human", true)]);
    it.event(Event::Answered(Call { in_background: true, ..call("3") }));
    it.facts.now_ms += 3_600_001;
    it.event(rated(false));
    assert_eq!(it.reported()[1], ("d-2", "human", false), "after an hour it is not waited for any more");
}

#[test]
fn a_call_that_is_never_answered_blocks_no_rating_of_a_later_one() {
    let mut it = Session::new();
    it.event(Event::Answered(Call { in_background: true, ..call("1") }));
    it.facts.now_ms += 1;
    it.answered("2");
    it.event(rated(true));
    assert_eq!(it.reported(), [("d-2", "human", true)]);
}

/// The brain knows the answer only after the test ran again.
#[test]
fn a_test_that_was_red_again_after_a_call_in_the_background_began_judges_nothing() {
    for (red_again, reports) in [(false, 1), (true, 0)] {
        let mut it = Session::new();
        it.event(Event::Tested(TEST.into(), false));
        it.event(Event::Answered(Call { in_background: true, ..call("1") }));
        if red_again {
            it.event(Event::Tested(TEST.into(), false));
        }
        it.knows("1", "debug");
        it.event(Event::Tested(TEST.into(), true));
        assert_eq!(it.reported().len(), reports, "red again: {red_again}");
    }
}

#[test]
fn a_brain_that_is_away_is_reported_once_a_session_and_a_rating_says_why_it_was_not_sent() {
    let mut it = Session::new();
    it.facts.calls.insert("1".into(), Err("the brain is away".into()));
    it.facts.calls.insert("2".into(), Err("the brain is away".into()));
    let HookAnswer::Show(told) = it.event(Event::Answered(call("1"))) else { panic!("not told") };
    assert!(told.starts_with("routing: the brain is away. "), "{told}");
    assert_eq!(it.event(Event::Answered(call("2"))), HookAnswer::Nothing);
    assert_eq!(it.event(rated(true)), end("routing: not reported: the brain is away"));
    it.knows("1", "debug");
    it.knows("2", "debug");
    it.event(rated(true));
    assert_eq!(it.reported(), [("d-2", "human", true)], "it is back");
}

#[test]
fn a_rating_that_was_not_taken_leaves_the_answer_without_a_verdict() {
    let mut it = Session::new();
    it.answered("1");
    let plan = plan(rated(true), it.state.clone(), &it.facts);
    let (state, answer) = conclude(plan, &[Err("no".into())]);
    assert_eq!((state.answers[0].verdict, answer), (None, end("routing: not reported: no")));
}

#[test]
fn a_test_that_was_red_before_debug_and_is_green_after_it_is_a_pass_by_ci() {
    for (events, expected) in [
        (vec![Event::Tested(TEST.into(), false), Event::Answered(call("1")), Event::Tested(TEST.into(), true)], 1),
        (vec![Event::Answered(call("1")), Event::Tested(TEST.into(), true)], 0),
        (vec![Event::Tested(TEST.into(), true), Event::Answered(call("1")), Event::Tested(TEST.into(), true)], 0),
        (vec![Event::Tested("other".into(), false), Event::Answered(call("1")), Event::Tested(TEST.into(), true)], 0),
        // Red again: a later green may be due to other work.
        (
            vec![
                Event::Tested(TEST.into(), false),
                Event::Answered(call("1")),
                Event::Tested(TEST.into(), false),
                Event::Tested(TEST.into(), true),
            ],
            0,
        ),
        (
            vec![
                Event::Tested(TEST.into(), false),
                Event::Answered(call("1")),
                rated(false),
                Event::Tested(TEST.into(), true),
            ],
            0,
        ),
        (
            vec![
                Event::Tested(TEST.into(), false),
                Event::Answered(call("1")),
                Event::Tested(TEST.into(), true),
                Event::Tested(TEST.into(), true),
            ],
            1,
        ),
        (
            vec![
                Event::Tested(TEST.into(), false),
                Event::Answered(call("1")),
                Event::Failed,
                Event::Tested(TEST.into(), true),
            ],
            0,
        ),
    ] {
        let mut it = Session::new();
        it.knows("1", "debug");
        for event in &events {
            it.event(event.clone());
        }
        let by_ci = it.reported().into_iter().filter(|report| *report == ("d-1", "ci", true)).count();
        assert_eq!(by_ci, expected, "{events:?}");
        assert!(it.reports.iter().all(|report| report.verdict.by != By::Ci || report.basis == "test_after"));
    }
}

#[test]
fn tests_judge_only_the_last_answer_of_debug_that_nobody_else_has_judged() {
    let green_after = |skill: &str, verdicts: Option<&[&str]>| {
        let mut it = Session::new();
        it.event(Event::Tested(TEST.into(), false));
        it.knows("1", skill);
        it.event(Event::Answered(call("1")));
        it.facts.verdicts =
            verdicts.map(|sources| sources.iter().map(|source| ((*source).into(), "fail".into())).collect());
        it.event(Event::Tested(TEST.into(), true));
        it.reported().len()
    };
    assert_eq!(green_after("debug", Some(&[])), 1);
    assert_eq!(green_after("debug", Some(&["agent", "grader"])), 1, "weaker words");
    assert_eq!(green_after("code_review", Some(&[])), 0);
    assert_eq!([green_after("debug", Some(&["human"])), green_after("debug", Some(&["ci"]))], [0, 0]);
    assert_eq!(green_after("debug", None), 0, "the brain does not answer");
}

#[test]
fn the_model_is_asked_once_and_its_word_counts_as_an_agents() {
    let mut it = Session::new();
    assert_eq!(it.event(stopped(false, None)), HookAnswer::Nothing, "nothing was routed");
    it.answered("1");
    assert!(
        matches!(it.event(stopped(false, None)), HookAnswer::Ask(question) if question.contains("routing: debug right"))
    );
    it.event(stopped(true, Some(("debug", Some(false)))));
    assert_eq!(it.reported(), [("d-1", "agent", false)]);
    it.answered("2");
    assert_eq!(it.event(stopped(false, None)), HookAnswer::Nothing, "never twice");
    it.event(stopped(true, Some(("debug", Some(true)))));
    assert_eq!(it.reported().len(), 1, "nobody asked");
}

#[test]
fn the_model_is_not_asked_when_somebody_spoke_or_it_is_not_wanted_or_known() {
    let asked = |change: &dyn Fn(&mut Session)| {
        let mut it = Session::new();
        it.answered("1");
        change(&mut it);
        matches!(it.event(stopped(false, None)), HookAnswer::Ask(_))
    };
    assert!(asked(&|_| {}));
    assert!(!asked(&|it| drop(it.event(rated(true)))));
    assert!(!asked(&|it| it.facts.ask = false));
    assert!(!asked(&|it| it.facts.verdicts = None));
    assert!(!asked(&|it| it.facts.verdicts = Some([("check".into(), "pass".into())].into())));
    assert!(!asked(&|it| drop(it.event(Event::Failed))));
}

#[test]
fn a_word_that_is_unknown_or_on_another_skill_or_late_is_not_reported() {
    for (told, prompt_between) in [
        (None, false),
        (Some(("debug", None)), false),
        (Some(("other", Some(true))), false),
        (Some(("debug", Some(true))), true),
    ] {
        let mut it = Session::new();
        it.answered("1");
        it.event(stopped(false, None));
        if prompt_between {
            it.event(Event::Prompt);
        }
        it.event(stopped(true, told));
        assert_eq!(it.reported(), [], "{told:?}");
    }
}

#[test]
fn the_decision_of_a_reverted_commit_is_reported_once_as_a_fail() {
    let mut it = Session::new();
    it.facts.reverted = vec![("d-9".into(), "debug".into())];
    let shown = it.event(Event::MayHaveReverted);
    assert_eq!(shown, HookAnswer::Show("routing, its commit was reverted: changed".into()));
    it.event(Event::MayHaveReverted);
    assert_eq!(it.reported(), [("d-9", "ci", false)]);
}

#[test]
fn what_is_asked_of_the_brain_is_only_what_an_event_needs() {
    let state = State { red: vec![TEST.into()], ..State::default() };
    for event in [Event::Other, Event::Ended, Event::Failed, Event::Tested(TEST.into(), true), Event::Prompt] {
        assert_eq!(wanted(&event, &state, 1), Wanted::default(), "{event:?}");
    }
    assert_eq!(wanted(&Event::Answered(call("1")), &state, 1).on_its_way, Some("1".into()));
    assert!(wanted(&stopped(false, None), &state, 1).verdicts);
    assert!(!wanted(&stopped(false, None), &State { asked: true, ..state }, 1).verdicts);
}

#[test]
fn a_brain_that_failed_to_answer_is_left_alone_for_a_minute_unless_the_user_speaks() {
    let mut it = Session::new();
    it.facts.away = true;
    it.facts.now_ms = 1_000_000;
    it.facts.calls.insert("1".into(), Err("the brain is away".into()));
    it.event(Event::Answered(call("1")));
    for event in [Event::Answered(call("2")), Event::Prompt, stopped(false, None)] {
        assert_eq!(wanted(&event, &it.state, 1_059_999), Wanted::default(), "{event:?}");
        assert_ne!(wanted(&event, &it.state, 1_060_000), Wanted::default(), "{event:?}");
    }
    assert_eq!(wanted(&rated(true), &it.state, 1_000_001).pending, ["1"]);
}

#[test]
fn the_state_is_bounded_and_is_read_as_it_was_written() {
    let mut it = Session::new();
    for i in 0..200 {
        it.event(Event::Tested(i.to_string(), false));
        it.answered(&i.to_string());
        it.event(Event::Answered(Call { in_background: true, ..call(&format!("p{i}")) }));
    }
    it.event(rated(true));
    let State { answers, pending, red, .. } = &it.state;
    assert_eq!((answers.len(), pending.len(), red.len()), (64, 64, 64));
    let text = serde_json::to_string(&it.state).expect("JSON");
    assert_eq!(serde_json::from_str::<State>(&text).expect("a state"), it.state);
    let verdict = Verdict { by: By::Human, right: true };
    assert_eq!(serde_json::from_str::<State>(r#"{"of":"a newer version"}"#).expect("a state"), State::default());
    assert_eq!(json!(verdict), json!({"by": "human", "right": true}));
}
