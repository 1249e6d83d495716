//! An event of a Claude Code session: nothing of a prompt, a command or an answer is remembered or said.

use dataplane::received::hook_event;
use serde_json::Value;

use crate::{input::two_texts, text::CANARY};

/// Most bytes that are read of what is remembered, and more than what is written of it.
const REMEMBERED_MAX: usize = 256 * 1024;
/// What of an event is text of people, models and programs.
const TEXTS: [&str; 6] = ["prompt", "last_assistant_message", "tool_response", "tool_input", "error", "cwd"];

/// `REMEMBERED NUL EVENT`, both JSON.
pub fn check(input: &[u8]) {
    let Some((remembered, event)) = two_texts(input) else { return };
    let Ok(event) = serde_json::from_str::<Value>(event) else { return };
    let Some((after, answer)) = hook_event(remembered.as_bytes(), &event, 1_700_000_000_000) else { return };
    assert!(after.len() <= REMEMBERED_MAX.max(input.len() * 8), "{} bytes", after.len());
    let read: Value = serde_json::from_slice(&after).expect("what is remembered is JSON");
    let (again, _) = hook_event(&after, &serde_json::json!({"session_id": "s"}), 1_700_000_000_000).expect("a session");
    let again: Value = serde_json::from_slice(&again).expect("JSON");
    // Calls that wait too long are forgotten with the next event.
    let without_pending = |mut state: Value| {
        state.as_object_mut().expect("an object").remove("pending");
        state
    };
    assert_eq!(without_pending(again), without_pending(read.clone()), "an event of none of ours changes nothing");
    if !remembered.contains(CANARY) && is_in_texts_alone(&event) {
        let said = answer.unwrap_or_default().to_string();
        assert!(!read.to_string().contains(CANARY), "{read}");
        assert!(!said.contains(CANARY), "{said}");
    }
}

fn is_in_texts_alone(event: &Value) -> bool {
    let Some(fields) = event.as_object() else { return true };
    fields.iter().all(|(name, value)| TEXTS.contains(&name.as_str()) || !value.to_string().contains(CANARY))
}
