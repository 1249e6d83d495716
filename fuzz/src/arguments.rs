//! A skill's schema, and a caller's arguments: what fits comes back as it was, and a refusal shows no value.

use crds::arguments::ArgumentSchema;
use serde_json::{Map, Value};

use crate::{
    input::{object, two_texts, with_a_large_stack},
    text::{CANARY, assert_has_no_canary, assert_is_a_line},
};

/// Most violations that one answer names.
const VIOLATIONS_MAX: usize = 8;
/// Longest violation, in characters. Hidden ones are written as `\u{…}`, with at most 10.
const VIOLATION_MAX: usize = 10 * 400;

/// `SCHEMA NUL ARGUMENTS`.
pub fn check(input: &[u8]) {
    let Some((schema, arguments)) = two_texts(input) else { return };
    let Some(schema) = object(schema) else { return };
    with_a_large_stack(|| match ArgumentSchema::compile(&schema) {
        Ok(compiled) => object(arguments).into_iter().for_each(|given| of_arguments(&schema, &compiled, &given)),
        Err(reasons) => assert!(!reasons.is_empty()),
    });
}

fn of_arguments(schema: &Map<String, Value>, compiled: &ArgumentSchema, given: &Map<String, Value>) {
    match compiled.check(given.clone()) {
        Ok(checked) => assert_eq!(checked, *given),
        Err(violations) => {
            assert!((1..=VIOLATIONS_MAX).contains(&violations.len()), "{}", violations.len());
            let is_only_in_values = !Value::Object(schema.clone()).to_string().contains(CANARY) && !is_in_a_key(given);
            for violation in violations {
                assert_is_a_line(&violation, VIOLATION_MAX);
                if is_only_in_values {
                    assert_has_no_canary(&violation);
                }
            }
        }
    }
}

fn is_in_a_key(object: &Map<String, Value>) -> bool {
    object.iter().any(|(key, value)| key.contains(CANARY) || is_in_a_key_of(value))
}

fn is_in_a_key_of(value: &Value) -> bool {
    match value {
        Value::Object(object) => is_in_a_key(object),
        Value::Array(items) => items.iter().any(is_in_a_key_of),
        _ => false,
    }
}
