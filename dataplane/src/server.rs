//! Listens, serves, and stops in the phases of `shutdown`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use endpoint::{
    host::Hosts,
    serve::{self, Limits},
};
use tokio::net::TcpListener;

use crate::{
    admin,
    data_plane::DataPlane,
    http,
    shutdown::{Shutdown, Signals},
};

/// How long queued decisions may take to reach the brain.
const FLUSH_GRACE: Duration = Duration::from_secs(5);

/// How long calls that were cut off may take to write their records.
const RECORDS_GRACE: Duration = Duration::from_secs(2);
/// How long a request or an answer that is on its way may take when the server stops.
const REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Why a server did not start, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {}: {reason}; free the port, or set {variable} to another", shown(*bind, *port))]
    Listen {
        /// None: every address of this machine.
        bind: Option<IpAddr>,
        port: u16,
        /// The environment variable that sets the port.
        variable: &'static str,
        reason: std::io::Error,
    },
    /// SIGTERM and SIGINT cannot be noticed.
    #[error("signals cannot be handled: {0}")]
    Signals(std::io::Error),
    /// A part of it panicked.
    #[error("the server failed: {0}")]
    Ended(std::io::Error),
}

/// Listens on an address; none: on every address of this machine. `variable` is the one that sets the port, for the
/// error.
///
/// # Errors
/// The port is taken or not allowed.
pub fn listen(bind: Option<IpAddr>, port: u16, variable: &'static str) -> Result<TcpListener, ServeError> {
    serve::listen(bind, port).map_err(|reason| ServeError::Listen { bind, port, variable, reason })
}

/// An address to listen on, in words.
pub fn shown(bind: Option<IpAddr>, port: u16) -> String {
    bind.map_or_else(|| format!("port {port} of every address"), |bind| SocketAddr::new(bind, port).to_string())
}

/// What the data plane listens with.
pub struct Ports {
    pub mcp: TcpListener,
    pub admin: TcpListener,
    /// Bounds of the connections of the MCP port; the admin port has its own.
    pub limits: Limits,
    /// The hosts that the admin port answers for.
    pub admin_hosts: Hosts,
}

/// Begins to notice the signals that end a server.
///
/// # Errors
/// Signal handlers cannot be installed.
pub fn signals() -> Result<Signals, ServeError> {
    Signals::noticed().map_err(ServeError::Signals)
}

/// Serves both ports until a signal ends it, then delivers the queued decisions.
///
/// # Errors
/// What waits for signals panicked.
pub async fn serve(data_plane: Arc<DataPlane>, ports: Ports, signals: Signals) -> Result<(), ServeError> {
    let Ports { mcp, admin, limits, admin_hosts } = ports;
    let shutdown = data_plane.shutdown.clone();
    let config = Arc::clone(&data_plane.config);
    let signals = tokio::spawn(shutdown.clone().on_signals(signals, move || config.active().table.longest_call()));
    // The admin port answers until the last call has ended: the operator and the kubelet poll it meanwhile.
    let admin_app = admin::app(Arc::clone(&data_plane), admin_hosts);
    let admin = tokio::spawn(serve::until(admin, admin_app, Limits::of_admin(), shutdown.stopped.clone()));
    tokio::select! {
        () = until_stopped(mcp, http::app(&data_plane), limits, &shutdown) => {}
        () = unneeded(&data_plane) => {}
    }
    // A call that was cut off writes its record while it ends.
    if tokio::time::timeout(RECORDS_GRACE, data_plane.idle()).await.is_err() {
        tracing::warn!("some calls did not end in time and have no record");
    }
    data_plane.decision_log.flush(FLUSH_GRACE).await;
    data_plane.otlp.flush().await;
    shutdown.stopped.cancel();
    // A client that still polls the admin port sees the process end.
    admin.abort();
    signals.await.map_err(|panicked| ServeError::Ended(panicked.into()))
}

/// Waits until the server is stopping, requests on their way have had a moment to arrive, and no call is in flight: a
/// connection that is merely open, or a half-sent request, does not delay the end.
async fn unneeded(data_plane: &DataPlane) {
    data_plane.shutdown.stopping.cancelled().await;
    tokio::time::sleep(REQUEST_GRACE).await;
    data_plane.idle().await;
    // Answers are on their way out.
    tokio::time::sleep(REQUEST_GRACE).await;
}

/// Serves a router until the end of shutdown. Connections that outlive the hard stop, such as a half-sent request, end
/// with the process.
pub async fn until_stopped(listener: TcpListener, app: Router, limits: Limits, shutdown: &Shutdown) {
    tokio::select! {
        () = serve::until(listener, app, limits, shutdown.stopping.clone()) => {}
        () = shutdown.stopped.cancelled() => {}
    }
}
