//! Spans of OpenTelemetry for requests that come in and what is done for them. They are made by hand, not from log lines:
//! what a library logs may hold a prompt. Only numbers, ids and words from enums and from the policy go into them, never a
//! text of a caller or of a model. Without a collector all of this does nothing.

mod context;

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

pub use self::context::{TRACEPARENT, TRACESTATE, TraceContext};

/// Attribute of what failed: its kind, a word from an enum.
pub const ERROR_TYPE: &str = "error.type";

/// Begins spans of requests, if there is a collector.
#[derive(Clone, Default)]
pub struct Tracing(Option<SdkTracer>);

impl Tracing {
    /// By this tracer; none: there is no collector.
    #[must_use]
    pub fn new(tracer: Option<SdkTracer>) -> Self {
        Self(tracer)
    }

    /// Begins the span of a request that came in, within the caller's trace if it has one.
    pub fn served(
        &self,
        name: impl FnOnce() -> String,
        within: Option<&TraceContext>,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Span {
        let Some(tracer) = &self.0 else { return Span::default() };
        let parent = within.map_or(SpanContext::NONE, TraceContext::remote);
        Span::begin(tracer, &parent, name(), SpanKind::Server, attributes())
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
    #[must_use]
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
            span.set_attribute(KeyValue::new(ERROR_TYPE, kind));
            span.set_status(Status::error(kind));
        }
    }

    /// The span as the trace that another server continues; none without a collector.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|(_, span)| TraceContext::of_span(span.span_context()))
    }
}
