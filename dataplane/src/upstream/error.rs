//! Why an attempt has no answer. No error contains text of the prompt, the answer or the key.

use std::time::Duration;

/// A failed model call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// No complete answer in time.
    #[error("no answer within {:.1} s", after.as_secs_f64())]
    TimedOut {
        /// Time until the attempt was given up.
        after: Duration,
    },
    /// No connection.
    #[error("the endpoint cannot be reached")]
    Unreachable,
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete")]
    Interrupted,
    /// A status other than 2xx.
    #[error("the endpoint answered {status}{}", kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default())]
    Status {
        /// HTTP status.
        status: u16,
        /// `error.type` of the body, when it is a plain word.
        kind: Option<String>,
    },
    /// More bytes than are read of an answer.
    #[error("the answer is larger than {} MiB", limit / 1024 / 1024)]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// HTML, truncated JSON, anything else.
    #[error("the answer is not JSON")]
    NotJson,
    /// 200 with an error in the body.
    #[error("the endpoint answered 200 with an error{}", kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default())]
    ErrorBody {
        /// `error.type` of the body, when it is a plain word.
        kind: Option<String>,
    },
    /// No `choices[0].message.content`.
    #[error("the answer has no choices[0].message.content")]
    NoContent,
    /// Only white space, or only thinking.
    #[error("the answer is empty")]
    Empty,
    /// The model used up its tokens before it answered.
    #[error("the model ran out of tokens before it answered; raise max_tokens in the model's parameters")]
    OutOfTokens,
    /// The caller disconnected, or the server stopped. Only for records.
    #[error("the call was cancelled")]
    Cancelled,
}

impl AttemptError {
    /// The fixed name of the error in metrics and records.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "timeout",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Status { .. } => "status",
            Self::TooLarge { .. } => "too_large",
            Self::NotJson => "not_json",
            Self::ErrorBody { .. } => "error_body",
            Self::NoContent => "no_content",
            Self::Empty => "empty",
            Self::OutOfTokens => "out_of_tokens",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() { Self::Unreachable } else { Self::Interrupted }
    }
}
