//! What a call is in OpenTelemetry: one span, with children for evidence, decision, model calls and the log. Names are
//! those of the GenAI and MCP semantic conventions. Only numbers, ids and words from enums and from the policy go into
//! them, never a text of a caller or of a model.
//!

pub mod attribute;
pub mod evaluation;
mod measures;

use endpoint::trace::{Span, TraceContext, Tracing};

use self::measures::Measures;
use crate::{decision::DecisionRecord, otlp::Otlp};

/// Begins spans and notes measurements; both only if there is a collector.
#[derive(Clone, Default)]
pub struct Traces {
    tracing: Tracing,
    measures: Option<Measures>,
}

impl Traces {
    pub fn of(otlp: &Otlp) -> Self {
        Self { tracing: otlp.tracing(), measures: otlp.metrics.as_ref().map(Measures::of) }
    }

    /// Begins the span of a call, within the caller's trace if it has one; `skill`: none if there is no such skill, whose
    /// name would be a text of the caller.
    pub fn call(&self, skill: Option<&str>, within: Option<&TraceContext>) -> Span {
        let call = endpoint::method::CALL;
        let name = || skill.map_or_else(|| call.to_string(), |skill| format!("{call} {skill}"));
        self.tracing.served(name, within, || attribute::of_call(skill))
    }

    /// A call of a skill ended after this many seconds; `error` is the kind of failure.
    pub fn called(&self, skill: Option<&str>, seconds: f64, error: Option<&'static str>) {
        if let Some(measures) = &self.measures {
            measures.called(skill, seconds, error);
        }
    }

    /// A model call ended, or the caller got the work itself.
    pub fn decided(&self, record: &DecisionRecord) {
        if let Some(measures) = &self.measures {
            measures.decided(record);
        }
    }
}
