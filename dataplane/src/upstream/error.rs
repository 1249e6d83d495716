//! Why an attempt has no answer. No error contains text of the prompt, the answer or the key.

use std::time::Duration;

use url::Url;

use super::Unreachable;

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
    #[error("the endpoint {endpoint} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port, for example `litellm:4000`.
        endpoint: String,
        /// Why, with the cure.
        cause: Unreachable,
    },
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
    /// The endpoint has no model of this name.
    #[error(
        "the endpoint does not know the model {}; correct its name, or add it there (GET /v1/models lists those it has)",
        crds::shown::printable(model, 200)
    )]
    UnknownModel {
        /// The name that was asked for.
        model: String,
    },
    /// More bytes than are read of an answer.
    #[error("the answer is larger than {} MiB", limit / 1024 / 1024)]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// JSON of more values than are parsed.
    #[error("the answer has more than {limit} JSON values")]
    TooManyValues {
        /// The limit.
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
    /// A compressed answer, although none was asked for.
    #[error(
        "the answer is compressed ({encoding}), which was not asked for; turn compression off at the endpoint, or at the proxy before it"
    )]
    Encoded {
        /// Name of the encoding, for example `gzip`.
        encoding: String,
    },
    /// The endpoint says that it could not finish the answer; what there is of it is not used.
    #[error("the endpoint gave up in the middle of the answer{}", kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default())]
    BrokenOff {
        /// `error.type` or `error.code` of the choice, when it is a plain word or a number.
        kind: Option<String>,
    },
    /// A content filter withheld the answer or a part of it, or the model refused.
    #[error("the answer was withheld by a content filter, or refused by the model")]
    Filtered,
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
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted => "interrupted",
            Self::Status { .. } => "status",
            Self::UnknownModel { .. } => "unknown_model",
            Self::TooLarge { .. } | Self::TooManyValues { .. } => "too_large",
            Self::NotJson => "not_json",
            Self::ErrorBody { .. } => "error_body",
            Self::Encoded { .. } => "encoded",
            Self::BrokenOff { .. } => "broken_off",
            Self::Filtered => "filtered",
            Self::NoContent => "no_content",
            Self::Empty => "empty",
            Self::OutOfTokens => "out_of_tokens",
            Self::Cancelled => "cancelled",
        }
    }

    /// The error of a request that got no answer, or only a part of one, from the endpoint at `url`.
    pub(super) fn from_transport(error: &reqwest::Error, url: &Url) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::Unreachable { endpoint: endpoint_of(url), cause: Unreachable::of(error) }
        } else {
            Self::Interrupted
        }
    }
}

/// Host and port of a URL: neither its path nor its user and query, which may be secrets.
pub fn endpoint_of(url: &Url) -> String {
    let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}
