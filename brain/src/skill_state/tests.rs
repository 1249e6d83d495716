use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::record::tests::record;

fn stored(change: Value) -> StoredDecision {
    let mut decision = record(&Uuid::now_v7().to_string(), "debug", "local", "qwen35");
    for (name, value) in change.as_object().expect("an object") {
        decision[name] = value.clone();
    }
    StoredDecision { decision, at: 1, verdicts: BTreeMap::new() }
}

fn state(pass: i64, fail: i64, decisions: i64, latest: &[StoredDecision]) -> SkillState {
    let rate = Rate::of(pass, fail);
    let models = vec![ModelRate { arm: "local".into(), model: "qwen35".into(), rate, decisions }];
    let evidence = Evidence { rate, models, decisions, ..Evidence::default() };
    SkillState::of("debug".into(), &evidence, &Latest(latest))
}

fn kinds(state: &SkillState) -> Vec<&'static str> {
    problems(state).iter().map(|problem| problem.kind).collect()
}

#[test]
fn the_route_follows_the_rate_that_is_known_now_and_the_thresholds_of_the_last_decision() {
    for (pass, fail, change, expected) in [
        (9, 1, json!({}), Route::Local),
        (8, 2, json!({}), Route::Split),
        (6, 4, json!({}), Route::Claude),
        (0, 0, json!({}), Route::Local),
        (6, 4, json!({"reason": "pinned"}), Route::Pinned),
        (0, 1, json!({"reason": "too_few_samples"}), Route::Local),
        (6, 4, json!({"effective_floor": 0.6, "effective_ceil": 0.5}), Route::Local),
    ] {
        let state = state(pass, fail, 10, &[stored(change.clone())]);
        assert_eq!(state.route, Some(expected), "{pass} of {fail}, {change}");
    }
    assert_eq!(state(9, 1, 0, &[]).route, None, "no decision is known");
}

#[test]
fn a_skill_is_locked_below_ceil_when_nothing_explores() {
    let below =
        json!({"decision": "claude", "reason": "below_ceil", "model": "c", "p_local": 0.0, "evidence_of": "qwen35"});
    let of_the_skill = json!({"decision": "claude", "reason": "below_ceil", "model": "c", "p_local": 0.0});
    assert!(!state(1, 9, 10, &[stored(of_the_skill)]).locked, "Claude's outcomes lift its rate");
    assert!(state(1, 9, 10, &[stored(below.clone())]).locked);
    assert!(!state(9, 1, 10, &[stored(below.clone())]).locked, "a verdict brought it back");
    let explored = [stored(below.clone()), stored(json!({"reason": "explored"}))];
    let explored = state(1, 9, 10, &explored);
    assert!(!explored.locked && explored.exploring);
    assert!(!state(1, 9, 10, &[stored(json!({"decision": "claude", "p_local": 0.1}))]).locked);
    let state = state(1, 9, 10, &[stored(below)]);
    assert_eq!(kinds(&state), ["locked"]);
}

#[test]
fn a_local_model_fails_when_its_last_attempts_all_did_whatever_claude_answered() {
    let failed = || stored(json!({"error": "timeout"}));
    let claude = || stored(json!({"decision": "claude_fallback", "model": "c"}));
    let all = [claude(), failed(), claude(), failed(), claude(), failed()];
    assert_eq!(kinds(&state(9, 1, 10, &all)), ["local_failing"]);
    let one_answered = [failed(), failed(), stored(json!({})), failed()];
    assert!(kinds(&state(9, 1, 10, &one_answered)).is_empty());
    assert!(kinds(&state(9, 1, 10, &[failed(), failed()])).is_empty(), "too few to say");
    let left_alone =
        || stored(json!({"decision": "claude_fallback", "reason": "local_circuit_open", "model": "c", "error": null}));
    assert_eq!(kinds(&state(9, 1, 10, &[left_alone(), left_alone(), left_alone()])), ["local_failing"]);
    let back = [stored(json!({})), left_alone(), left_alone(), left_alone()];
    assert!(kinds(&state(9, 1, 10, &back)).is_empty(), "it is back");
}

#[test]
fn coverage_is_low_when_almost_nothing_of_many_calls_is_judged() {
    assert_eq!(kinds(&state(1, 0, 100, &[stored(json!({}))])), ["low_coverage"]);
    assert!(kinds(&state(1, 0, 19, &[stored(json!({}))])).is_empty());
    assert!(kinds(&state(10, 0, 100, &[stored(json!({}))])).is_empty());
}

#[test]
fn judgements_are_used_up_as_long_as_the_latest_decision_says_so() {
    let used_up = || stored(json!({"gradings_used_up": true}));
    assert_eq!(kinds(&state(9, 1, 10, &[used_up(), stored(json!({}))])), ["gradings_used_up"]);
    assert!(kinds(&state(9, 1, 10, &[stored(json!({})), used_up()])).is_empty(), "an hour later");
}

#[test]
fn the_local_model_and_the_sources_are_those_of_the_latest_decision() {
    let decisions = [
        stored(json!({"decision": "claude", "model": "c"})),
        stored(json!({"evidence_of": "new", "sources": ["human"]})),
        stored(json!({"model": "old"})),
    ];
    assert_eq!(Latest(&decisions).local_model().as_deref(), Some("new"));
    assert_eq!(Latest(&decisions[2..]).local_model().as_deref(), Some("old"));
    assert_eq!(Latest(&decisions).sources(), Sources::default());
    assert_eq!(Latest(&decisions[1..]).sources(), Sources::parse("human").expect("a source"));
}
