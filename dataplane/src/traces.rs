//! What a call is in OpenTelemetry: one span, with children for evidence, decision, model calls and the log. Names are
//! those of the GenAI and MCP semantic conventions. Only numbers, ids and words from enums and from the policy go into
//! them, never a text of a caller or of a model.
//!
//! The spans are made by hand, not from log lines: what a library logs may hold a prompt.

pub mod attribute;
pub mod evaluation;
mod measures;

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer, TracerProvider,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use self::measures::Measures;
use crate::{
    decision::DecisionRecord,
    otlp::{self, Otlp},
};

/// Begins spans and notes measurements; both only if there is a collector.
#[derive(Clone, Default)]
pub struct Traces {
    tracer: Option<SdkTracer>,
    measures: Option<Measures>,
}

impl Traces {
    pub fn of(otlp: &Otlp) -> Self {
        Self {
            tracer: otlp.traces.as_ref().map(|provider| provider.tracer_with_scope(otlp::scope())),
            measures: otlp.metrics.as_ref().map(Measures::of),
        }
    }

    /// Begins the span of a call of a skill, within the caller's trace: a valid `traceparent`.
    pub fn call(&self, skill: &str, traceparent: Option<&str>) -> Span {
        let Some(tracer) = &self.tracer else { return Span::default() };
        let parent = traceparent.and_then(remote).unwrap_or(SpanContext::NONE);
        let name = format!("{} {skill}", endpoint::method::CALL);
        let attributes = attribute::of_call(skill);
        Span::begin(tracer, &parent, name, SpanKind::Server, attributes)
    }

    /// A call of a skill ended after this many seconds; `error` is the kind of failure.
    pub fn called(&self, skill: &str, seconds: f64, error: Option<&'static str>) {
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

/// Where in a trace something happens: spans that begin here are its children. Without a collector, nowhere.
#[derive(Clone, Default)]
pub struct Place(Option<(SdkTracer, SpanContext)>);

impl Place {
    /// Begins a span of work within this process.
    pub fn work(&self, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Span {
        self.child(name.into(), SpanKind::Internal, attributes)
    }

    /// Begins a span of a request to another server.
    pub fn request(&self, name: impl Into<String>, attributes: impl FnOnce() -> Vec<KeyValue>) -> Span {
        self.child(name.into(), SpanKind::Client, attributes)
    }

    fn child(&self, name: String, kind: SpanKind, attributes: impl FnOnce() -> Vec<KeyValue>) -> Span {
        match &self.0 {
            Some((tracer, parent)) => Span::begin(tracer, parent, name, kind, attributes()),
            None => Span::default(),
        }
    }
}

/// A span; it ends when it is dropped. Without a collector there is nothing in it.
#[derive(Default)]
pub struct Span(Option<(SdkTracer, SdkSpan)>);

impl Span {
    fn begin(
        tracer: &SdkTracer,
        parent: &SpanContext,
        name: String,
        kind: SpanKind,
        attributes: Vec<KeyValue>,
    ) -> Self {
        let context = Context::new();
        // Under a parent that is none the sampler would drop the span.
        let parent = if parent.is_valid() { context.with_remote_span_context(parent.clone()) } else { context };
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        Self(Some((tracer.clone(), tracer.build_with_context(builder, &parent))))
    }

    /// Where children of this span begin, also after its end.
    pub fn place(&self) -> Place {
        Place(self.0.as_ref().map(|(tracer, span)| (tracer.clone(), span.span_context().clone())))
    }

    /// Adds attributes, if the span is sent at all.
    pub fn note(&mut self, attributes: impl FnOnce() -> Vec<KeyValue>) {
        if let Some((_, span)) = self.0.as_mut().filter(|(_, span)| span.is_recording()) {
            span.set_attributes(attributes());
        }
    }

    /// Notes a failure by its kind, a word from an enum.
    pub fn fail(&mut self, kind: &'static str) {
        if let Some((_, span)) = &mut self.0 {
            span.set_attribute(KeyValue::new(attribute::ERROR_TYPE, kind));
            span.set_status(Status::error(kind));
        }
    }

    /// The span as a `traceparent` of W3C Trace Context; none without a collector.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref().map(|(_, span)| span.span_context())?;
        Some(format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            (context.trace_flags() & TraceFlags::SAMPLED).to_u8()
        ))
    }
}

/// The span that a valid `traceparent` names.
pub fn remote(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, parent) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(parent).ok()?);
    Some(SpanContext::new(trace, parent, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}
