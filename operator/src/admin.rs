//! The admin port: `/metrics` (OpenMetrics), `/readyz` (watching, or standing by), `/livez` (the process is alive).
//!
//! `/livez` never depends on the cluster: a restart fixes neither a missing CRD nor an API server that is down.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/readyz` answers: what the operator is doing, or why it is not ready.
pub struct Readiness(Mutex<Result<&'static str, String>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Mutex::new(Err("starting".into())))
    }
}

impl Readiness {
    /// The operator is ready; `what` says what it is doing, for example `watching`.
    pub fn ready(&self, what: &'static str) {
        self.set(Ok(what));
    }

    /// The operator is not ready; `why` is the answer, with status 503.
    pub fn not_ready(&self, why: String) {
        self.set(Err(why));
    }

    fn set(&self, state: Result<&'static str, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn get(&self) -> Result<&'static str, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Serves the admin port until the token is cancelled.
///
/// # Errors
/// The server failed and no longer accepts connections.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, app(metrics, readiness)).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn app(metrics: Arc<Metrics>, readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/metrics", get(|State(metrics): State<Arc<Metrics>>| async move { text(&metrics) }))
        .with_state(metrics)
        .route("/readyz", get(|State(readiness): State<Arc<Readiness>>| async move { ready(&readiness) }))
        .with_state(readiness)
        .route("/livez", get(|| async { "alive\n" }))
}

fn text(metrics: &Metrics) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.text())
}

fn ready(readiness: &Readiness) -> (StatusCode, String) {
    match readiness.get() {
        Ok(what) => (StatusCode::OK, format!("{what}\n")),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
