//! A bound on the spans that wait for the collector, which counts those that it drops: the library drops them too, and
//! says how many in its own log only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

use super::Losses;

/// Most spans that wait, by the standard's default for `OTEL_BSP_MAX_QUEUE_SIZE`, which cannot make it larger here.
const WAITING_MAX: usize = 2048;

/// The bound, shared by what puts spans in and what takes them out.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    waiting: Arc<AtomicUsize>,
    losses: Losses,
}

impl Queue {
    pub(super) fn new(losses: Losses) -> Self {
        Self { waiting: Arc::default(), losses }
    }

    pub(super) fn processor<P: SpanProcessor>(self, next: P) -> In<P> {
        In { queue: self, next }
    }

    pub(super) fn exporter<E: SpanExporter>(&self, next: E) -> Out<E> {
        Out { queue: self.clone(), next }
    }

    fn admits(&self) -> bool {
        let admitted = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX;
        if !admitted {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.losses.span("queue_full", 1);
        }
        admitted
    }
}

/// Puts spans in.
#[derive(Debug)]
pub(super) struct In<P> {
    queue: Queue,
    next: P,
}

impl<P: SpanProcessor> SpanProcessor for In<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // One that is not sampled is not sent.
        if span.span_context.is_sampled() && self.queue.admits() {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Takes spans out.
#[derive(Debug)]
pub(super) struct Out<E> {
    queue: Queue,
    next: E,
}

impl<E: SpanExporter> SpanExporter for Out<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.next.export(batch).await;
        self.queue.waiting.fetch_sub(spans, Ordering::Relaxed);
        if exported.is_err() {
            self.queue.losses.span("export", spans as u64);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}
