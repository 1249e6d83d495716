//! The `routing-operator` binary.

use std::process::ExitCode;

use clap::Parser;
use operator::{OperatorError, Settings, client, run, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Err(lines) = telemetry::start() {
        eprintln!("{}", lines.join("\n"));
        return ExitCode::FAILURE;
    }
    match operate(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn operate(settings: Settings) -> Result<(), OperatorError> {
    // Fails only if a provider is already installed, and nothing else installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clients = client::connect().await?;
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    run(settings, clients, stop).await
}

async fn cancel_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot install signal handlers: only SIGKILL ends this process");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
}
