//! Sends progress notifications: at once, at each step, and while one lasts, because clients give up on a silent call. If
//! the caller disconnects, the call ends.

use std::time::Duration;

use endpoint::Progress;
use tokio::{
    sync::watch,
    time::{Instant, interval_at},
};
use tokio_util::sync::CancellationToken;

/// Longest time between two notifications.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs a call; none if the caller disconnected. Callers that asked for progress get notifications.
pub(super) async fn with_heartbeat<T>(
    call: impl Future<Output = T>,
    gone: &CancellationToken,
    progress: Option<&Progress>,
    mut activities: watch::Receiver<String>,
) -> Option<T> {
    let Some(progress) = progress else {
        // Then nobody needs to know what the call does.
        drop(activities);
        return gone.run_until_cancelled(call).await;
    };
    tokio::pin!(call);
    let began = Instant::now();
    let mut heartbeat = interval_at(began + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            outcome = &mut call => return Some(outcome),
            () = gone.cancelled() => return None,
            _ = heartbeat.tick() => {}
            // The sender is gone only when the call is at its end.
            Ok(()) = activities.changed() => heartbeat.reset(),
        }
        let activity = activities.borrow_and_update().clone();
        notify(progress, began.elapsed(), &activity).await;
    }
}

async fn notify(progress: &Progress, elapsed: Duration, activity: &str) {
    let message = format!("{activity}, {} s", elapsed.as_secs());
    if let Err(error) = progress.report(elapsed.as_secs_f64(), message).await {
        tracing::debug!(%error, "a progress notification was not sent");
    }
}
