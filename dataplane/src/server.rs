//! Listens, serves, and stops in the phases of `shutdown`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{admin, data_plane::DataPlane, http, shutdown::Shutdown};

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
    #[error("cannot listen on {address}: {reason}; free the port, or set {variable} to another")]
    Listen {
        address: SocketAddr,
        /// The environment variable that sets the port.
        variable: &'static str,
        reason: std::io::Error,
    },
    /// Accepting connections or handling signals failed.
    #[error("the server failed: {0}")]
    Ended(std::io::Error),
}

/// Listens on an address. `variable` is the one that sets the port, for the error.
///
/// # Errors
/// The port is taken or not allowed.
pub async fn listen(bind: IpAddr, port: u16, variable: &'static str) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::new(bind, port);
    TcpListener::bind(address).await.map_err(|reason| ServeError::Listen { address, variable, reason })
}

/// Serves both ports until a signal ends it, then delivers the queued decisions.
///
/// # Errors
/// Accepting connections or handling signals failed.
pub async fn serve(data_plane: Arc<DataPlane>, mcp: TcpListener, admin_port: TcpListener) -> Result<(), ServeError> {
    let shutdown = data_plane.shutdown.clone();
    let config = Arc::clone(&data_plane.config);
    let signals = tokio::spawn(shutdown.clone().on_signals(move || config.active().table.total_timeout));
    // The admin port answers until the last call has ended: the operator and the kubelet poll it meanwhile.
    let admin = tokio::spawn(until(admin_port, admin::app(Arc::clone(&data_plane)), shutdown.stopped.clone()));
    let ended = tokio::select! {
        ended = until_stopped(mcp, http::app(&data_plane), &shutdown) => ended,
        () = unneeded(&data_plane) => Ok(()),
    };
    // A call that was cut off writes its record while it ends.
    if tokio::time::timeout(RECORDS_GRACE, data_plane.idle()).await.is_err() {
        tracing::warn!("some calls did not end in time and have no record");
    }
    data_plane.decision_log.flush(FLUSH_GRACE).await;
    shutdown.stopped.cancel();
    // A client that still polls the admin port sees the process end.
    admin.abort();
    ended.map_err(ServeError::Ended)?;
    signals.await.map_err(std::io::Error::other).and_then(|ended| ended).map_err(ServeError::Ended)
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
///
/// # Errors
/// Accepting connections failed.
pub async fn until_stopped(listener: TcpListener, app: Router, shutdown: &Shutdown) -> std::io::Result<()> {
    tokio::select! {
        ended = until(listener, app, shutdown.stopping.clone()) => ended,
        () = shutdown.stopped.cancelled() => Ok(()),
    }
}

/// Serves a router until the token is cancelled and what is in flight has been answered.
///
/// # Errors
/// Accepting connections failed.
pub async fn until(listener: TcpListener, app: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}
