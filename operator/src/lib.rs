//! The operator: turns every `RoutingPolicy` into a running, exposed, always-current data plane, and reports how
//! many pods run its config and where calls go.
//!
//! ```text
//! RoutingPolicy ─▶ dereference (reads) ─▶ validate (pure) ─▶ build (pure) ─▶ apply (writes) ─▶ pods (reads)
//!                                                                                                  │
//!       requeue (pure) ◀── report (writes status and events) ◀── status (pure) ◀── nudge (writes) ◀┘
//! ```
//!
//! It owns the fields that it sets and no others, reads no Secret (of those that a policy names, the labels, if it was
//! started so), and has no finalizer: all that it creates is in the
//! cluster, and is garbage-collected with its policy.

#![forbid(unsafe_code)]

mod admin;
pub mod client;
pub mod controller;
mod leader;
pub mod metrics;
mod pod_status;
pub mod restrictions;
mod settings;
pub mod telemetry;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use client::Clients;
pub use settings::Settings;

use crate::{admin::Readiness, metrics::Metrics};

/// An error that ends the operator.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Neither a kubeconfig nor the pod's ServiceAccount can be used.
    #[error("cannot connect to the cluster: {0}; run in a pod, or set KUBECONFIG")]
    Cluster(String),
    /// The admin port is in use, or the process may not open it.
    #[error("cannot listen on {address}: {reason}; free the port, or choose another with --admin-address")]
    Listen {
        /// The value of `--admin-address`.
        address: std::net::SocketAddr,
        /// The operating system's error.
        reason: std::io::Error,
    },
    /// The admin server failed.
    #[error("the admin server failed: {0}")]
    Admin(std::io::Error),
}

/// Runs until the token is cancelled: the admin server at once, the controller while this replica holds the lease.
///
/// # Errors
/// The admin port cannot be opened or served.
pub async fn run(settings: Settings, clients: Clients, stop: CancellationToken) -> Result<(), OperatorError> {
    let address = settings.admin_address;
    let listener = TcpListener::bind(address).await.map_err(|reason| OperatorError::Listen { address, reason })?;
    let (metrics, readiness) = (Arc::new(Metrics::default()), Arc::new(Readiness::default()));
    let admin = admin::serve(listener, Arc::clone(&metrics), Arc::clone(&readiness), stop.clone());
    let controller = leader::while_leading(&settings, clients.lease, &metrics, &readiness, stop.clone(), || {
        controller::watch::run(&settings, clients.api.clone(), &metrics, &readiness)
    });
    let (served, ()) = tokio::join!(admin, controller);
    served.map_err(OperatorError::Admin)
}
