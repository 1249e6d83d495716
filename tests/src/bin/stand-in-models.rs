//! The stand-in for language models as a program for a pod. It listens on port 4000.

use tests::stand_in::model_pod;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", 4000)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = model_pod::serve(listener) => served,
        // Without waiting for calls: tests take it down to see what happens then.
        _ = terminate.recv() => Ok(()),
    }
}
