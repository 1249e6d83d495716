//! What the scripted model says, as one message and as a stream of events.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use super::ToolUse;

/// A part of a reply.
#[derive(Clone, Debug)]
pub enum Block {
    /// Text for the user.
    Text(String),
    /// A tool call.
    Call {
        /// The tool's name, for example `mcp__routing__debug`.
        name: String,
        /// Its arguments.
        input: Value,
    },
}

/// What the model says to one request.
#[derive(Clone, Debug)]
pub struct Reply(Vec<Block>);

impl Reply {
    /// Only text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(vec![Block::Text(text.into())])
    }

    /// A call of one tool.
    #[must_use]
    pub fn call(name: &str, input: Value) -> Self {
        Self(vec![Block::Call { name: name.into(), input }])
    }

    /// A command in Claude Code's own shell.
    #[must_use]
    pub fn bash(command: &str) -> Self {
        Self::call("Bash", json!({"command": command, "description": "a command of the script"}))
    }

    /// Several blocks at once: text and calls, or calls side by side.
    #[must_use]
    pub fn blocks(blocks: impl IntoIterator<Item = Block>) -> Self {
        Self(blocks.into_iter().collect())
    }

    /// The reply with an id for each call.
    pub(super) fn numbered(self) -> Numbered {
        Numbered(self.0.into_iter().map(content).collect())
    }
}

/// A block of the API's own form. An id is never used twice by one process.
fn content(block: Block) -> Value {
    match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Call { name, input } => {
            json!({"type": "tool_use", "id": format!("toolu_{}", id()), "name": name, "input": input})
        }
    }
}

fn id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08}{:08}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The blocks of a reply, as the API writes them.
pub(super) struct Numbered(Vec<Value>);

impl Numbered {
    /// The tool calls among them.
    pub(super) fn uses(&self) -> Vec<ToolUse> {
        self.0.iter().filter(|block| block["type"] == "tool_use").map(ToolUse::of).collect()
    }

    /// The whole message.
    pub(super) fn message(self, model: &Value) -> Value {
        let stop = if self.uses().is_empty() { "end_turn" } else { "tool_use" };
        let usage = json!({"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0});
        json!({"id": format!("msg_{}", id()), "type": "message", "role": "assistant", "model": model,
            "content": self.0, "stop_reason": stop, "stop_sequence": null, "usage": usage})
    }
}

/// A message as server-sent events.
pub(super) fn events(message: &Value) -> String {
    let mut start = message.clone();
    (start["content"], start["stop_reason"]) = (json!([]), Value::Null);
    let mut events = vec![json!({"type": "message_start", "message": start})];
    for (i, block) in message["content"].as_array().into_iter().flatten().enumerate() {
        events.extend(block_events(i, block));
    }
    let delta = json!({"stop_reason": message["stop_reason"], "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}));
    events.push(json!({"type": "message_stop"}));
    written(&events)
}

fn block_events(index: usize, block: &Value) -> [Value; 3] {
    let mut start = block.clone();
    let delta = if block["type"] == "text" {
        start["text"] = json!("");
        json!({"type": "text_delta", "text": block["text"]})
    } else {
        start["input"] = json!({});
        json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})
    };
    [
        json!({"type": "content_block_start", "index": index, "content_block": start}),
        json!({"type": "content_block_delta", "index": index, "delta": delta}),
        json!({"type": "content_block_stop", "index": index}),
    ]
}

fn written(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        let name = event["type"].as_str().unwrap_or_default();
        write!(text, "event: {name}\ndata: {event}\n\n").expect("written");
    }
    text
}
