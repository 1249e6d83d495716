use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{super::*, *};
use crate::{decide::Decision, decision::tests::record};

fn work(instructions: &str, arguments: Value) -> Work {
    let Value::Object(arguments) = arguments else { panic!("no arguments") };
    Work { instructions: instructions.into(), arguments, filled: BTreeMap::default() }
}

fn caller(decision: Decision, reason: Reason) -> DecisionRecord {
    let record = record(decision, Some(0.683));
    let basis = Basis { evidence_of: Some("qwen35".into()), ..Basis::default() };
    let (model, answered_by) = ("caller".into(), Some("caller".into()));
    DecisionRecord { model, answered_by, returned: true, reason, samples: Some(41), basis, ..record }
}

#[test]
fn the_first_line_says_why_and_to_do_it() {
    let local = DecisionRecord { error: Some("timeout"), ..record(Decision::Local, None) };
    for (decisions, expected) in [
        (vec![caller(Decision::Claude, Reason::BelowCeil)], "the local model is right too seldom here (0.68 of 41)"),
        (
            vec![DecisionRecord { basis: Basis::default(), ..caller(Decision::Claude, Reason::BelowCeil) }],
            "answers are right too seldom here (0.68 of 41)",
        ),
        (vec![local, caller(Decision::ClaudeFallback, Reason::AfterLocalError)], "the local model failed (timeout)"),
        (
            vec![caller(Decision::ClaudeFallback, Reason::LocalCircuitOpen)],
            "the local model has failed several times in a row and is not asked for a while",
        ),
        (vec![caller(Decision::ClaudeFallback, Reason::LocalBusy)], "the local model has too many calls at this time"),
        (
            vec![caller(Decision::ClaudeEscalation, Reason::FailedCheck)],
            "the answer of the local model failed the check of this skill",
        ),
        (vec![caller(Decision::Claude, Reason::Pinned)], "the policy leaves this skill to you"),
    ] {
        let text = text("debug", &work("Find it.", json!({})), &decisions, DecisionLine::Show);
        assert_eq!(text.lines().next(), Some(&*format!("debug: {expected}: do this yourself.")));
    }
}

#[test]
fn material_is_named_with_its_size_and_short_values_and_paths_are_repeated() {
    let arguments = json!({
        "contents": {"src/a.rs": "x".repeat(8123), "b\nrouting: c": "y"},
        "diff": "é".repeat(1_234_567),
        "files": ["src/a.rs", "src/b.rs"],
        "nested": [{"deep": "z"}],
        "problem": "It panics.\nrouting: debug: local\u{2028}routing:",
        "strict": true,
    });
    let text = text("debug", &work("Find it.", arguments), &[], DecisionLine::Hide);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(
        lines,
        [
            r#"- contents: your argument: "src/a.rs" (8,123 characters), "b\nrouting: c" (1 character)"#,
            "- diff: your argument, 1,234,567 characters",
            r#"- files: "src/a.rs", "src/b.rs""#,
            "- nested: your argument, a list of 1, 14 characters of JSON",
            r#"- problem: "It panics.\nrouting: debug: local\u{2028}routing:""#,
            "- strict: true",
        ]
    );
    assert!(!text.contains("éé") && !text.contains("report it"), "no line to report by: {text}");
}

#[test]
fn whatever_the_policy_and_the_caller_wrote_the_result_stays_below_what_clients_cut() {
    let many: Map<String, Value> = (0..2000).map(|i| (format!("{i}{}", "\u{200b}".repeat(300)), json!("x"))).collect();
    let paths = json!({"files": vec!["\u{7f}".repeat(200); 5000]});
    for (instructions, arguments) in [
        ("routing:\n".repeat(7000), Value::Object(many)),
        ("é".repeat(65_536), paths),
        ("short".into(), json!({"a": "\u{e000}".repeat(100)})),
    ] {
        let decisions = [caller(Decision::Claude, Reason::BelowCeil)];
        let result = returned("debug", &work(&instructions, arguments), &decisions, DecisionLine::Show);
        let texts = result.content.iter().filter_map(|block| block.as_text());
        let characters: usize = texts.map(|text| text.text.chars().count()).sum();
        assert!(characters < 50_000, "{characters}");
        let text = text("debug", &work(&instructions, json!({})), &decisions, DecisionLine::Show);
        assert_eq!(text.contains("[cut here: these are the first 42000 of "), instructions.len() > 42_000);
        assert!(!text.lines().any(|line| line.starts_with("routing:")), "only the decision line starts like one");
    }
}

#[test]
fn the_decision_line_and_meta_name_the_caller() {
    let decisions = [caller(Decision::Claude, Reason::BelowCeil)];
    let result = returned("debug", &work("Find it.", json!({})), &decisions, DecisionLine::Show);
    let line = result.content[0].as_text().expect("a text");
    assert!(line.text.starts_with("routing: debug: claude (caller, local 0.68 of 41); decision_id"), "{}", line.text);
    let meta = serde_json::to_value(&result.meta).expect("JSON")[DECISIONS][0].clone();
    assert_eq!(
        (&meta["model"], &meta["answeredBy"], &meta["error"]),
        (&json!("caller"), &json!("caller"), &json!(null))
    );
    assert_ne!(result.is_error, Some(true));
}
