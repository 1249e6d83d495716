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
    /// No call was made: it has failed too often in a row.
    #[error("not asked: it has failed {failures} times in a row; {}", next_trial_text(*next_trial))]
    CircuitOpen {
        /// How often.
        failures: u32,
        /// Time until it is tried again; none: that happens now, by another call.
        next_trial: Option<Duration>,
    },
    /// No call was made: as many as the policy allows were under way all the time.
    #[error("not asked: {}", busy_text(*limit, *waited))]
    Busy {
        /// Calls at the same time.
        limit: usize,
        /// How long it waited for its turn; zero: too many waited already.
        waited: Duration,
    },
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
            Self::CircuitOpen { .. } => "circuit_open",
            Self::Busy { .. } => "busy",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the next call would most likely fail, too, whatever its prompt: then the endpoint is not as it should be.
    pub(super) fn is_of_the_endpoint(&self) -> bool {
        match self {
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Interrupted
            | Self::UnknownModel { .. }
            | Self::NotJson
            | Self::Encoded { .. }
            | Self::BrokenOff { .. } => true,
            Self::Status { status, .. } => is_of_the_endpoint(*status),
            // Some write the status that it should have had.
            Self::ErrorBody { kind } => {
                kind.as_ref().and_then(|kind| kind.parse().ok()).is_some_and(is_of_the_endpoint)
            }
            Self::TooLarge { .. }
            | Self::TooManyValues { .. }
            | Self::Filtered
            | Self::NoContent
            | Self::Empty
            | Self::OutOfTokens
            | Self::CircuitOpen { .. }
            | Self::Busy { .. }
            | Self::Cancelled => false,
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

/// The key, the path, the load or the endpoint itself. A gateway answers 403 to some prompts, so that is not among them.
fn is_of_the_endpoint(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 402 | 404 | 405 | 407 | 408 | 429 | 500..=599)
}

fn next_trial_text(next_trial: Option<Duration>) -> String {
    next_trial
        .map_or_else(|| "it is being tried".into(), |time| format!("next trial in {:.0} s", time.as_secs_f64().ceil()))
}

fn busy_text(limit: usize, waited: Duration) -> String {
    let calls = if limit == 1 { "1 call at a time is".into() } else { format!("{limit} calls at a time are") };
    if waited.is_zero() {
        return format!("{calls} allowed (maxConcurrent), and too many wait already");
    }
    format!("{calls} allowed (maxConcurrent), and none ended in time; it waited {:.1} s", waited.as_secs_f64())
}

/// Host and port of a URL: neither its path nor its user and query, which may be secrets.
pub fn endpoint_of(url: &Url) -> String {
    let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_endpoint_is_told_from_what_is_about_one_prompt() {
        let status = |status| AttemptError::Status { status, kind: None };
        let body = |kind: &str| AttemptError::ErrorBody { kind: Some(kind.into()) };
        for error in [
            AttemptError::TimedOut { after: Duration::from_secs(75) },
            AttemptError::Unreachable { endpoint: "h:1".into(), cause: Unreachable::Name },
            AttemptError::Interrupted,
            AttemptError::UnknownModel { model: "m".into() },
            AttemptError::NotJson,
            AttemptError::Encoded { encoding: "gzip".into() },
            AttemptError::BrokenOff { kind: None },
            status(302),
            status(401),
            status(404),
            status(429),
            status(500),
            status(529),
            body("502"),
        ] {
            assert!(error.is_of_the_endpoint(), "{error}");
        }
        for error in [
            status(400),
            status(403),
            status(413),
            status(422),
            body("400"),
            body("invalid_request_error"),
            AttemptError::TooLarge { limit: 1 },
            AttemptError::Filtered,
            AttemptError::NoContent,
            AttemptError::Empty,
            AttemptError::OutOfTokens,
            AttemptError::Busy { limit: 1, waited: Duration::ZERO },
            AttemptError::Cancelled,
        ] {
            assert!(!error.is_of_the_endpoint(), "{error}");
        }
    }

    #[test]
    fn a_call_that_was_not_made_says_why_and_what_comes_next() {
        let open = |next_trial| AttemptError::CircuitOpen { failures: 5, next_trial }.to_string();
        let told = "not asked: it has failed 5 times in a row; next trial in 13 s";
        assert_eq!(open(Some(Duration::from_millis(12_100))), told);
        assert_eq!(open(None), "not asked: it has failed 5 times in a row; it is being tried");
        let busy = |limit, waited| AttemptError::Busy { limit, waited: Duration::from_millis(waited) }.to_string();
        let told = "not asked: 2 calls at a time are allowed (maxConcurrent), and none ended in time; it waited 37.5 s";
        assert_eq!(busy(2, 37_500), told);
        let told = "not asked: 1 call at a time is allowed (maxConcurrent), and too many wait already";
        assert_eq!(busy(1, 0), told);
    }
}
