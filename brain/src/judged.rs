//! A verdict that was stored, for what reports it elsewhere, such as OpenTelemetry.

use std::sync::Arc;

use crate::{entry::Entry, record::Record};

/// Is called with each verdict after it was stored. It must return at once.
pub type OnJudged = Arc<dyn Fn(&Judged<'_>) + Send + Sync>;

/// A verdict: who says what about which answer. It has no text of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged<'a> {
    /// The skill that answered.
    pub skill: &'a str,
    /// `pass`, `fail` or `retract`.
    pub verdict: &'static str,
    /// Who says so, for example `human`.
    pub source: &'static str,
    /// The decision that it is about; none: it names none.
    pub decision_id: Option<&'a str>,
    /// The model that was asked; none: the decision is not known.
    pub model: Option<&'a str>,
    /// The trace of the model call, in the form of W3C Trace Context; none: it is not known.
    pub traceparent: Option<&'a str>,
}

impl<'a> Judged<'a> {
    /// Of an entry, with the record of the decision that it is about, if it is known.
    pub(crate) fn of(entry: &'a Entry, record: Option<&'a Record>) -> Self {
        Self {
            skill: &entry.skill,
            verdict: entry.final_status.as_str(),
            source: entry.source.as_str(),
            decision_id: entry.decision_id.as_deref(),
            model: record.map(|record| record.model.as_str()),
            traceparent: record.and_then(|record| record.rest.get("traceparent")?.as_str()),
        }
    }
}
