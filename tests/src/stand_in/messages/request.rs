//! What the model is asked: its tools, what the tools answered, and all the text.

use axum::http::HeaderMap;
use serde_json::{Value, json};

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

/// A tool that is offered to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What the model reads about it.
    pub description: String,
    /// Whether the model has only its name until it looks for it.
    pub deferred: bool,
}

/// A tool call that the model has made.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolUse {
    /// The id that its result has, too.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments: what the model had to write.
    pub input: Value,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call.
    pub id: String,
    /// The text of each block.
    pub texts: Vec<String>,
    /// Whether the call failed.
    pub is_error: bool,
}

impl ToolUse {
    pub(super) fn of(block: &Value) -> Self {
        Self { id: string(&block["id"]), name: string(&block["name"]), input: block["input"].clone() }
    }
}

impl ToolResult {
    fn of(block: &Value) -> Self {
        Self {
            id: string(&block["tool_use_id"]),
            texts: texts(&block["content"]),
            is_error: block["is_error"] == json!(true),
        }
    }

    /// All its text, one block a line.
    #[must_use]
    pub fn text(&self) -> String {
        self.texts.join("\n")
    }
}

impl Request {
    /// The tools that it offers.
    #[must_use]
    pub fn tools(&self) -> Vec<Tool> {
        let tool = |tool: &Value| Tool {
            name: string(&tool["name"]),
            description: string(&tool["description"]),
            deferred: tool["defer_loading"] == json!(true),
        };
        self.body["tools"].as_array().into_iter().flatten().map(tool).collect()
    }

    /// What tools have answered in the conversation so far, oldest first.
    #[must_use]
    pub fn results(&self) -> Vec<ToolResult> {
        let blocks = self.messages().flat_map(|message| message["content"].as_array().into_iter().flatten());
        blocks.filter(|block| block["type"] == "tool_result").map(ToolResult::of).collect()
    }

    /// The text of the system prompt and of every message, without tool calls and their results.
    #[must_use]
    pub fn text(&self) -> String {
        let messages = self.messages().flat_map(|message| texts(&message["content"]));
        texts(&self.body["system"]).into_iter().chain(messages).collect::<Vec<_>>().join("\n")
    }

    fn messages(&self) -> impl Iterator<Item = &Value> {
        self.body["messages"].as_array().into_iter().flatten()
    }
}

/// The texts of a content, which is a string or a list of blocks.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            blocks.iter().filter(|block| block["type"] == "text").map(|block| string(&block["text"])).collect()
        }
        _ => vec![],
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}
