//! What the server stands in for, and what a request asks of it.

use std::sync::Arc;

use serde_json::Value;

use super::{
    FAULTY, MARK,
    brain::{Ask, Heard},
    fault::Answer,
};

/// What became of an entry, unless an answer says something else.
const LOGGED: &[&str] = &[r#"{"id":"logged"}"#];

/// What the server stands in for.
pub(super) enum Plays {
    Model,
    Brain(Arc<Heard>),
}

/// A request that the server understands.
pub(super) enum Asked {
    Model {
        /// It is of the model `faulty`.
        is_faulty: bool,
        /// Tells it from all others.
        marker: String,
    },
    Brain {
        ask: Ask,
        /// So many asked for the same before.
        turn: usize,
        /// The arguments of each entry.
        entries: Vec<Value>,
    },
}

impl Plays {
    /// What a request asks for; none: nothing that there is.
    pub(super) fn asked(&self, request: &str) -> Option<Asked> {
        match self {
            Self::Brain(heard) => heard.asked(request),
            Self::Model => request.starts_with("POST").then(|| Asked::Model {
                is_faulty: request.contains(&format!(r#""model":"{FAULTY}""#)),
                marker: marker_of(request).into(),
            }),
        }
    }

    /// Notes what a request brings, before it is answered.
    pub(super) fn note(&self, asked: &Asked, is_answered_well: bool) {
        if let (Self::Brain(heard), Asked::Brain { entries, .. }) = (self, asked) {
            heard.note(entries, is_answered_well);
        }
    }

    /// The answer to a request that has no fault.
    pub(super) fn good(&self, asked: &Asked) -> Answer {
        match (self, asked) {
            (Self::Brain(heard), Asked::Brain { ask, .. }) => heard.good(*ask),
            _ => Answer::good(),
        }
    }
}

impl Asked {
    /// What [`Answer::ECHO`] stands for in an answer to this.
    pub(super) fn echo(&self, answer: &Answer) -> String {
        match self {
            Self::Model { marker, .. } => marker.clone(),
            Self::Brain { entries, .. } => {
                let each = if answer.each.is_empty() { LOGGED } else { &answer.each[..] };
                let all: Vec<_> = each.iter().copied().cycle().take(entries.len()).collect();
                format!("[{}]", all.join(","))
            }
        }
    }
}

/// The marker in a request; empty if there is none.
fn marker_of(request: &str) -> &str {
    let Some(begin) = request.find(MARK) else { return "" };
    let rest = &request[begin..];
    let end = rest[MARK.len()..].find('-').map_or(rest.len(), |end| MARK.len() + end + 1);
    &rest[..end]
}
