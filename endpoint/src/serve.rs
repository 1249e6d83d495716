//! The accept loop of every server: data plane, admin port, brain. A silent connection is ended, and open ones are
//! bounded, so that nobody can use up a process's descriptors.
//!
//! ```text
//! accept ─▶ connections (caps) ─▶ connection (time-outs) ─▶ framing (Host, lengths) ─▶ the router
//! ```

mod activity;
mod answer;
mod connection;
mod connections;
mod framing;
mod limits;
mod linger;
mod listen;
mod on_end;
mod socket;

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

pub(crate) use self::activity::Activity;
use self::connections::Connections;
pub use self::{
    connections::Peer,
    limits::{CONNECTIONS_DEFAULT, CONNECTIONS_VARIABLE, Limits, connections},
    listen::listen,
};

/// Pause after a failed accept, mostly because the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves a router until the token is cancelled and what is in flight has been answered. A failed accept is logged and tried
/// again.
pub async fn until(listener: TcpListener, app: Router, limits: Limits, stop: CancellationToken) {
    let connections = Connections::new(limits);
    // Every connection holds a sender; when all are gone, all connections have ended.
    let (open, mut ended) = mpsc::channel::<Infallible>(1);
    let begin = |socket, peer: SocketAddr| {
        // Refused: the socket is closed by dropping it.
        if let Some(admitted) = connections.admit(peer.ip()) {
            let (app, stop, open) = (app.clone(), stop.clone(), open.clone());
            tokio::spawn(async move {
                connection::serve(socket, app, &admitted, &stop).await;
                drop(open);
            });
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((socket, peer)) => begin(socket, peer),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
    }
    // The kernel has accepted these already: their peers may have sent requests.
    for (socket, peer) in listen::accepted(listener) {
        begin(socket, peer);
    }
    drop(open);
    // Nothing is ever sent: this returns when the last sender is gone.
    let _ = ended.recv().await;
}

/// The peer went away before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
