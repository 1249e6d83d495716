//! How the process ends: it continues to serve while it is taken out of rotation, answers calls in flight, then stops.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long calls are still accepted after SIGTERM: the removal from Services takes that long to reach every node.
const LAME_DUCK: Duration = Duration::from_secs(10);
/// How long calls that are cut off have to answer.
const HARD_STOP_GRACE: Duration = Duration::from_secs(2);

/// SIGTERM and SIGINT, which are noticed from here on. Before anything else is set up: the kernel drops a signal that
/// process 1 of a container does not handle, and the process would then be killed at the end of its grace.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to notice them.
    ///
    /// # Errors
    /// Signal handlers cannot be installed.
    pub fn noticed() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub async fn arrived(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

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
    pub async fn on_signals(self, mut signals: Signals, in_flight_grace: impl Fn() -> Duration) {
        let drain = tokio::select! {
            _ = signals.terminate.recv() => true,
            _ = signals.interrupt.recv() => false,
            () = self.stopped.cancelled() => return,
        };
        self.draining.cancel();
        if drain {
            tracing::info!(
                seconds = LAME_DUCK.as_secs(),
                "SIGTERM: still accepting calls while the endpoint is taken out of rotation"
            );
            wait(LAME_DUCK, &mut signals, &self.stopped).await;
        }
        tracing::info!("stopping: answering calls in flight");
        self.stopping.cancel();
        wait(in_flight_grace(), &mut signals, &self.stopped).await;
        self.hard_stop.cancel();
        wait(HARD_STOP_GRACE, &mut signals, &self.stopped).await;
        self.stopped.cancel();
    }
}

async fn wait(time: Duration, signals: &mut Signals, stopped: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = signals.arrived() => {}
        () = stopped.cancelled() => {}
    }
}
