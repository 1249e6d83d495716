//! What `/metrics` answers, and how metrics are registered.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::encode,
    registry::{Metric, Registry},
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Registers each metric where it is made.
pub struct Registered<'a>(pub &'a mut Registry);

impl Registered<'_> {
    /// A new metric with this name and this help.
    pub fn metric<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.with(name, help, M::default())
    }

    /// The same for a metric that has no default, such as a histogram.
    pub fn with<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

/// The metrics of a registry in OpenMetrics text.
#[must_use]
pub fn answer(registry: &Registry) -> Response {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, registry);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}
