//! Why a model stopped.

use serde::Serialize;

/// Why a model stopped, in the words of OpenAI's API.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The answer is complete.
    Stop,
    /// The answer was cut at the token limit.
    Length,
    /// The answer was withheld, as a whole or from some point on.
    ContentFilter,
    /// The model wants a tool to be called.
    ToolCalls,
    /// The model or its provider failed while it answered.
    Error,
    /// Any other word.
    Other,
}

impl FinishReason {
    /// Reads a `finish_reason`; words of providers that gateways pass on unchanged are known, too.
    pub(super) fn of(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "stop" | "eos" | "end_turn" | "stop_sequence" => Self::Stop,
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Self::Length,
            "content_filter" | "refusal" | "safety" => Self::ContentFilter,
            "tool_calls" | "function_call" | "tool_use" => Self::ToolCalls,
            "error" => Self::Error,
            _ => Self::Other,
        }
    }

    /// The name in logs, records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCalls => "tool_calls",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}
