//! How the process ends: it continues to serve while it is taken out of rotation, answers calls in flight, then stops.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long calls are still accepted after SIGTERM: the removal from Services takes that long to reach every node.
const LAME_DUCK: Duration = Duration::from_secs(10);
/// How long calls that are cut off have to answer.
const HARD_STOP_GRACE: Duration = Duration::from_secs(2);

/// The phases of shutdown, each a token that is cancelled when the phase begins.
#[derive(Clone, Default)]
pub struct Shutdown {
    /// Every answer carries `Connection: close`; calls are still accepted.
    pub draining: CancellationToken,
    /// No new connections; subscriptions end; calls in flight continue.
    pub stopping: CancellationToken,
    /// Calls in flight are cut off.
    pub hard_stop: CancellationToken,
    /// The servers have ended.
    pub stopped: CancellationToken,
}

impl Shutdown {
    /// Waits for a signal and goes through the phases. SIGTERM drains first; SIGINT, from a terminal, does not. A
    /// second signal skips the rest of a phase. Calls in flight have `in_flight_grace`, which is computed when that
    /// phase begins: the config may have changed since the start.
    ///
    /// # Errors
    /// Signal handlers cannot be installed.
    pub async fn on_signals(self, in_flight_grace: impl Fn() -> Duration) -> std::io::Result<()> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let drain = tokio::select! {
            _ = terminate.recv() => true,
            _ = interrupt.recv() => false,
            () = self.stopped.cancelled() => return Ok(()),
        };
        self.draining.cancel();
        if drain {
            tracing::info!(
                seconds = LAME_DUCK.as_secs(),
                "SIGTERM: still accepting calls while the endpoint is taken out of rotation"
            );
            wait(LAME_DUCK, &mut terminate, &mut interrupt, &self.stopped).await;
        }
        tracing::info!("stopping: answering calls in flight");
        self.stopping.cancel();
        wait(in_flight_grace(), &mut terminate, &mut interrupt, &self.stopped).await;
        self.hard_stop.cancel();
        wait(HARD_STOP_GRACE, &mut terminate, &mut interrupt, &self.stopped).await;
        self.stopped.cancel();
        Ok(())
    }
}

async fn wait(time: Duration, terminate: &mut Signal, interrupt: &mut Signal, stopped: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stopped.cancelled() => {}
    }
}
