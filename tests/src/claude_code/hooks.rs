//! Hooks that keep what they are told.

use serde_json::{Value, json};

use super::ClaudeCode;

/// In the home.
const FILE: &str = "hook-inputs.jsonl";

impl ClaudeCode {
    /// Writes project settings with a hook for each event that keeps its input; see [`ClaudeCode::hook_inputs`].
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn record_hooks(&self, events: &[&str]) {
        // One write a line, because hooks may run side by side.
        let command = format!(r#"printf '%s\n' "$(cat)" >>"$HOME/{FILE}""#);
        let entry = json!([{"hooks": [{"type": "command", "command": command}]}]);
        let hooks: serde_json::Map<_, _> = events.iter().map(|event| ((*event).to_string(), entry.clone())).collect();
        self.settings(&json!({"hooks": hooks}));
    }

    /// What the hooks of [`ClaudeCode::record_hooks`] have been told so far, in order.
    ///
    /// # Panics
    /// If that is not JSON.
    #[must_use]
    pub fn hook_inputs(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.home().join(FILE)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}
