//! The admin port: `/metrics` (OpenMetrics), `/readyz` (watching, or standing by for the lease), `/livez` (process alive).
//!
//! `/livez` never depends on the cluster: restarting the operator makes neither a missing CRD nor an API server appear.

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

/// Whether the operator does its work, and if not, why.
pub struct Readiness(Mutex<Result<&'static str, String>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Mutex::new(Err("starting".into())))
    }
}

impl Readiness {
    /// It does its work.
    pub fn ready(&self, what: &'static str) {
        self.set(Ok(what));
    }

    /// It cannot, for this reason.
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
/// Accepting failed.
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
