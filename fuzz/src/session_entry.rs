//! An entry of a session in a prompt: its texts end neither their line nor their block, and say what they said.

use dataplane::received::session_entry;
use serde_json::Value;

use crate::text::assert_is_a_line;

/// The entry, as JSON.
pub fn check(input: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<Value>(input) else { return };
    let shown = session_entry(&entry);
    for (key, value) in shown.as_object().expect("an object") {
        let Some(text) = value.as_str() else {
            assert!(!value.is_object() && !value.is_array(), "{key}");
            continue;
        };
        assert_is_a_line(text, 6 * input.len().max(10));
        assert!(!text.contains('<'), "{key}: {text}");
        let said: String = serde_json::from_str(&format!("\"{text}\"")).expect("the inside of a JSON string");
        match &entry[key] {
            Value::String(given) => assert_eq!(said, *given),
            given => assert_eq!(said, given.to_string()),
        }
    }
}
