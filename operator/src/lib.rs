//! The operator: turns every `RoutingPolicy` into a running, exposed, always-current data plane, and reports which
//! config each replica runs and where calls go.
//!
//! ```text
//! RoutingPolicy ─▶ dereference (reads) ─▶ validate (pure) ─▶ build (pure) ─▶ apply (writes) ─▶ pods (reads)
//!                                                                                                  │
//!       requeue (pure) ◀── report (writes status and events) ◀── status (pure) ◀── nudge (writes) ◀┘
//! ```
//!
//! It owns the fields that it sets and no others, has no finalizer (everything it creates is in the cluster and goes with
//! its policy), and reads no Secret.

#![forbid(unsafe_code)]

pub mod admin;
pub mod client;
pub mod controller;
pub mod leader;
pub mod metrics;
pub mod pod_status;
pub mod settings;
pub mod telemetry;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use client::Clients;
pub use settings::Settings;

use crate::{admin::Readiness, metrics::Metrics};

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The settings of the cluster's client cannot be used.
    #[error("cannot connect to the cluster: {0}; run in a pod, or set KUBECONFIG")]
    Cluster(String),
    /// The admin port is taken or not allowed.
    #[error("cannot listen on {address}: {reason}; free the port, or choose another with --admin-address")]
    Listen {
        /// As `--admin-address` has it.
        address: std::net::SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The admin server failed.
    #[error("the admin server ended: {0}")]
    Admin(std::io::Error),
}

/// Runs until the token is cancelled: the admin port at once, the controller whenever this replica holds the lease.
///
/// # Errors
/// The admin port cannot be served.
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
