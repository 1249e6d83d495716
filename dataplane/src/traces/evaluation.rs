//! A verdict that the brain stored, as the event `gen_ai.evaluation.result` of the conventions. It belongs to the span of
//! the model call that it judges, if the decision's record has one.

use std::{sync::Arc, time::SystemTime};

use brain::judged::{Judged, OnJudged};
use endpoint::trace::TraceContext;
use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};

use super::attribute;
use crate::otlp::{self, Otlp};

const EVENT: &str = "gen_ai.evaluation.result";
/// What is evaluated: whether the answer was right and useful.
const NAME: &str = "outcome";

/// What tells the collector of verdicts; without one it does nothing.
pub fn reporting(otlp: &Otlp) -> OnJudged {
    let Some(provider) = &otlp.logs else { return Arc::new(|_| ()) };
    let logger = provider.logger_with_scope(otlp::scope());
    Arc::new(move |judged| {
        let mut event = logger.create_log_record();
        event.set_event_name(EVENT);
        event.set_timestamp(SystemTime::now());
        event.set_severity_number(Severity::Info);
        if let Some(call) = judged.traceparent.and_then(|call| TraceContext::of(call, None)) {
            let call = call.remote();
            event.set_trace_context(call.trace_id(), call.span_id(), Some(call.trace_flags()));
        }
        describe(&mut event, judged);
        logger.emit(event);
    })
}

fn describe(event: &mut impl LogRecord, judged: &Judged<'_>) {
    event.add_attribute("gen_ai.evaluation.name", NAME);
    event.add_attribute("gen_ai.evaluation.score.label", judged.verdict);
    // A verdict that is taken back has no score.
    let score = [("pass", 1.0), ("fail", 0.0)].into_iter().find(|(verdict, _)| *verdict == judged.verdict);
    if let Some((_, score)) = score {
        event.add_attribute("gen_ai.evaluation.score.value", score);
    }
    event.add_attribute(attribute::SKILL, judged.skill.to_string());
    event.add_attribute("routing.source", judged.source);
    if let Some(id) = judged.decision_id {
        event.add_attribute(attribute::DECISION_ID, id.to_string());
    }
    if let Some(model) = judged.model {
        event.add_attribute(attribute::REQUEST_MODEL, model.to_string());
    }
}
