//! How the process ends: it goes on serving while it is taken out of rotation, answers what is in flight, then stops.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the endpoint goes on accepting after SIGTERM: its removal from Services takes that long to arrive everywhere.
const LAME_DUCK: Duration = Duration::from_secs(10);
/// How long cut-off calls have to answer.
const HARD_STOP_GRACE: Duration = Duration::from_secs(2);

/// The phases of the end, each a token that is cancelled when it begins.
#[derive(Clone, Default)]
pub struct Shutdown {
    /// Every answer carries `Connection: close`; calls are still accepted.
    pub draining: CancellationToken,
    /// No new connection; subscriptions end; calls in flight go on.
    pub stopping: CancellationToken,
    /// Calls in flight are cut off.
    pub hard_stop: CancellationToken,
    /// The servers are gone.
    pub stopped: CancellationToken,
}

impl Shutdown {
    /// Waits for a signal and goes through the phases. SIGTERM drains first; SIGINT, from a terminal, does not, and a
    /// second signal skips what is left of a phase. Calls in flight have `in_flight_grace`, asked for
    /// when it begins: the config may have changed since the start.
    ///
    /// # Errors
    /// Signals cannot be handled here.
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
                "SIGTERM: still accepting while the endpoint is removed elsewhere"
            );
            wait(LAME_DUCK, &mut terminate, &mut interrupt, &self.stopped).await;
        }
        tracing::info!("stopping: answering what is in flight");
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
