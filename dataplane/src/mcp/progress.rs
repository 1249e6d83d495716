//! Sends progress notifications: at once, at each step, and while one lasts, because clients give up on a silent call. If
//! the caller disconnects, the call ends.

use std::time::Duration;

use rmcp::{
    RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
    service::RequestContext,
};
use tokio::{
    sync::watch,
    time::{Instant, interval_at},
};

/// Longest time between two notifications.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs a call; none if the caller disconnected. Callers that sent a `progressToken` get notifications if `listens`:
/// they accept a stream as the answer.
pub(super) async fn with_heartbeat<T>(
    call: impl Future<Output = T>,
    context: &RequestContext<RoleServer>,
    listens: bool,
    mut activities: watch::Receiver<String>,
) -> Option<T> {
    let token = context.meta.get_progress_token().filter(|_| listens);
    tokio::pin!(call);
    let began = Instant::now();
    let mut heartbeat = interval_at(began + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            outcome = &mut call => return Some(outcome),
            () = context.ct.cancelled() => return None,
            _ = heartbeat.tick() => {}
            // The sender is gone only when the call is at its end.
            Ok(()) = activities.changed() => heartbeat.reset(),
        }
        if let Some(token) = &token {
            let activity = activities.borrow_and_update().clone();
            notify(context, token.clone(), began.elapsed(), &activity).await;
        }
    }
}

async fn notify(context: &RequestContext<RoleServer>, token: ProgressToken, elapsed: Duration, activity: &str) {
    let message = format!("{activity}, {} s", elapsed.as_secs());
    let progress = ProgressNotificationParam::new(token, elapsed.as_secs_f64()).with_message(message);
    if let Err(error) = context.peer.notify_progress(progress).await {
        tracing::debug!(%error, "a progress notification was not sent");
    }
}
