use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::arguments::PATTERNS_MAX;

fn by_schema(schema: Value) -> AnswerCheck {
    AnswerCheck::by_schema(schema.as_object().expect("an object"), &mut PATTERNS_MAX.clone()).expect("a check")
}

fn by_pattern(pattern: &str) -> AnswerCheck {
    AnswerCheck::by_pattern(pattern, &mut PATTERNS_MAX.clone()).expect("a check")
}

fn city() -> AnswerCheck {
    by_schema(
        json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string", "minLength": 1}}}),
    )
}

#[test]
fn an_answer_is_json_that_fits_also_in_its_only_fenced_block() {
    for (answer, holds) in [
        (r#"{"city": "Rome"}"#, true),
        ("\n {\"city\": \"Rome\"}\n\n", true),
        ("```json\n{\"city\": \"Rome\"}\n```", true),
        ("Here it is:\n```\n{\"city\": \"Rome\"}\n```\nAnything else?", true),
        (r#"{"city": ""}"#, false),
        (r#"{"town": "Rome"}"#, false),
        (r#"["Rome"]"#, false),
        ("Rome", false),
        (r#"It is {"city": "Rome"}"#, false),
        (r#"{"city": "Rome""#, false),
        ("```json\n{\"city\": \"Rome\"}\n```\n```json\n{\"city\": \"Lima\"}\n```", false),
        ("```json\n{\"city\": \"Rome\"}", false),
        ("", false),
    ] {
        assert_eq!(city().holds_for(answer), holds, "{answer}");
    }
    // A schema may be about any value, not only about an object.
    let list = by_schema(json!({"anyOf": [{"type": "array"}, {"type": "number"}]}));
    assert_eq!(["[1]", "7", r#""x""#].map(|answer| list.holds_for(answer)), [true, true, false]);
}

#[test]
fn a_pattern_is_searched_in_the_answer_without_the_white_space_around_it() {
    for (pattern, answer, holds) in [
        (r"^\d+$", "42\n", true),
        (r"^\d+$", "it is 42", false),
        (r"\d+", "it is 42", true),
        ("^(yes|no)$", "  yes ", true),
        ("^(yes|no)$", "yes, but", false),
        ("ü", "für", true),
    ] {
        assert_eq!(by_pattern(pattern).holds_for(answer), holds, "{pattern} {answer}");
    }
}

#[test]
fn an_answer_that_is_too_long_too_deep_or_has_too_many_values_fails() {
    let any = by_schema(json!({}));
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    assert!(any.holds_for(&text(ANSWER_MAX_BYTES)) && !any.holds_for(&text(ANSWER_MAX_BYTES + 1)));
    assert!(!any.holds_for(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))));
    assert!(!any.holds_for(&format!("[1{}]", ",1".repeat(20_000))));
    assert!(by_pattern("x$").holds_for(&"x".repeat(ANSWER_MAX_BYTES)));
    // A pattern to which many paths lead is matched as often.
    let many: Vec<Value> = (0..500).map(|_| json!({"$ref": "#/$defs/p"})).collect();
    let many = by_schema(json!({"allOf": many, "$defs": {"p": {"pattern": "^x*$"}}}));
    assert!(many.holds_for(&text(10_000)) && !many.holds_for(&text(100_000)));
}

#[test]
fn a_wrong_check_is_refused_with_the_reason() {
    let schema = |schema: Value| AnswerCheck::by_schema(schema.as_object().expect("an object"), &mut 1);
    for (refused, reason) in [
        (schema(json!({"type": "strin"})), "is not a JSON Schema"),
        (schema(json!({"$ref": "http://a/s.json"})), "refers to http://a/s.json"),
        (schema(json!({"pattern": "(?=x)"})), "has the pattern (?=x), which is not a regular expression without look"),
        (schema(json!({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})), "has 2 patterns, and 1 of 32 are left"),
        (AnswerCheck::by_pattern("(", &mut 1), "has the pattern (, which is not a regular expression"),
        (AnswerCheck::by_pattern(".{9999}", &mut 1), "has the pattern .{9999}, which is not a regular expression"),
        (AnswerCheck::by_pattern("a", &mut 0), "has 1 patterns, and 0 of 32 are left"),
    ] {
        let errors = refused.expect_err(reason);
        assert!(errors.len() == 1 && errors[0].starts_with(reason), "{errors:?}: {reason}");
    }
}

/// More than enough for a slow machine; a check without bounds takes hours.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_most_expensive_pattern_is_searched_in_the_longest_answer_soon() {
    let start = Instant::now();
    let longest = "x".repeat(ANSWER_MAX_BYTES);
    for pattern in [r"(x?){§}y$", r"(x*){§}y", r"[\pL]{§}\d", r"(x|xx|.){§}z$", r"(.*x){§}y"] {
        let largest = (0..16).rev().map(|power| pattern.replace('§', &(1_u32 << power).to_string()));
        let mut checks = largest.filter_map(|pattern| AnswerCheck::by_pattern(&pattern, &mut 1).ok());
        let check = checks.next().expect("a small one is allowed");
        assert!(!check.holds_for(&longest), "{pattern}");
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// What the answers of models are made of, with what could break a reader of them.
fn answer() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("```".to_string()),
        Just("~~~json\n".to_string()),
        Just("\r\n".to_string()),
        Just(r#"{"city": "#.to_string()),
        Just(r#""Rome"}"#.to_string()),
        "[\\[\\]{}\",:0-9e. ]{0,8}",
        ".{0,8}",
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_answer_makes_a_check_panic_and_white_space_around_it_changes_nothing(answer in answer()) {
        for check in [city(), by_schema(json!({})), by_pattern("Rome"), by_pattern("^[^`]*$")] {
            prop_assert_eq!(check.holds_for(&answer), check.holds_for(&format!("\n {answer}\n")));
        }
    }
}
