//! What a hook answers to Claude Code.

use serde_json::{Value, json};

/// An answer, as far as Claude Code has to be told anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// Nothing is printed.
    Nothing,
    /// A line for the user; all goes on.
    Show(String),
    /// A line for the user, and the prompt starts no turn of the model. The input is empty afterwards, and the next request
    /// has prompt and line; a `block` would put the prompt back into the input.
    End(String),
    /// The model is asked before it ends.
    Ask(String),
}

impl HookAnswer {
    /// As Claude Code reads it; none: nothing is printed.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Show(text) => Some(json!({"systemMessage": text})),
            Self::End(text) => Some(json!({"continue": false, "stopReason": text})),
            Self::Ask(question) => Some(json!({"decision": "block", "reason": question})),
        }
    }
}
