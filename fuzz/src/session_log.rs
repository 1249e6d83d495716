//! The arguments of `session_log`: what is taken is taken again as it is stored, and a refusal is one line for each.

use brain::entry::Entry;
use serde_json::Value;

use crate::{input::object, text::assert_is_a_line};

/// Longest refusal of one argument, in characters. Hidden ones are written as `\u{…}`, with at most 10.
const REFUSAL_MAX: usize = 10 * 400;

/// The arguments, as JSON.
pub fn check(input: &[u8]) {
    let Some(arguments) = std::str::from_utf8(input).ok().and_then(object) else { return };
    match Entry::from_arguments(arguments) {
        Ok(entry) => {
            let Ok(Value::Object(stored)) = serde_json::to_value(&entry) else { panic!("an entry is an object") };
            assert_eq!(Entry::from_arguments(stored), Ok(entry));
        }
        Err(refusals) => {
            assert!(!refusals.is_empty());
            refusals.iter().for_each(|refusal| assert_is_a_line(refusal, REFUSAL_MAX));
        }
    }
}
