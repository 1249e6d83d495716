//! The usual ways in which a local model fails, for loads that last.

use serde_json::json;

use super::fault::{Act, Answer, Fault, Length, Point};

/// Bytes of a body that drips: for minutes.
const DRIPPED: usize = 10_000;

/// How a model fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens.
    Refuses,
    /// It accepts the request and never answers.
    Hangs,
    /// It sends a byte of its answer now and then, and the end too late.
    Drips,
    /// It answers 429.
    TooMany,
    /// It answers 529, as Anthropic does when it is overloaded.
    Overloaded,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refuses, Self::Hangs, Self::Drips, Self::TooMany, Self::Overloaded];

    /// The word in names and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuses => "refuses",
            Self::Hangs => "hangs",
            Self::Drips => "drips",
            Self::TooMany => "429",
            Self::Overloaded => "529",
        }
    }

    /// The same of a server that runs, of which a refused connection cannot be had: the closest is an answer of a proxy
    /// before it.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Refuses => Fault::answer(Answer::of("").status(502)),
            Self::Hangs => Fault::at(Point::Asked, Act::Hang),
            Self::Drips => Fault {
                at: Point::AfterHead,
                act: Act::Drip,
                answer: Answer::of(" ".repeat(DRIPPED)).length(Length::UntilClosed),
            },
            Self::TooMany => refused(429, "rate_limit_error"),
            Self::Overloaded => refused(529, "overloaded_error"),
        }
    }
}

fn refused(status: u16, kind: &str) -> Fault {
    Fault::answer(Answer::of(json!({"error": {"message": "not now", "type": kind}}).to_string()).status(status))
}
