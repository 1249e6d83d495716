//! Why a request to a brain has no answer.

/// A failed request to a brain. Each message continues a sentence that begins with "the brain".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrainError {
    /// No complete answer in time.
    #[error("is unreachable or too slow")]
    Unreachable,
    /// No connection, so it was sent nothing.
    #[error("is unreachable or too slow")]
    NotConnected,
    /// A status other than 200.
    #[error("answered {0}")]
    Status(u16),
    /// The body is not what this request expects.
    #[error("answered with something other than {0}")]
    Malformed(&'static str),
    /// Status 503.
    #[error("answered 503")]
    Unavailable {
        /// As the brain reports it; not for logs, as of [`Self::Refused`].
        reason: String,
    },
    /// It could not write the entry now, with which nothing is wrong.
    #[error("could not write the entry; see its log")]
    Failed {
        /// As the brain reports it; not for logs, as of [`Self::Refused`].
        reason: String,
    },
    /// A JSON-RPC error, or a tool error.
    #[error("refused the entry")]
    Refused {
        /// As the brain reports it; not for logs, because another brain may repeat what it was sent.
        reason: String,
    },
}

impl BrainError {
    /// The value of a metric's `kind` label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable | Self::NotConnected => "unreachable",
            Self::Status(_) | Self::Unavailable { .. } => "status",
            Self::Malformed(_) => "malformed",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
        }
    }
}
