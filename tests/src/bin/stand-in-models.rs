//! The stand-in for language models as a program: for a pod, on port 4000, or on the port in its only argument.

use tests::stand_in::model_pod;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(4000), |port| port.parse()).map_err(std::io::Error::other)?;
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = model_pod::serve(listener) => served,
        // Without waiting for calls: tests take it down to see what happens then.
        _ = terminate.recv() => Ok(()),
    }
}
