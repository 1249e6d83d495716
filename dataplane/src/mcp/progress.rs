//! Sends progress notifications: at once, at each step, and while one lasts, because clients give up on a silent call. If
//! the caller disconnects, the call ends.

use std::{ops::ControlFlow, time::Duration};

use endpoint::Progress;
use tokio::{
    sync::watch,
    time::{Instant, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

/// Longest time between two notifications.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the answer of a call that is at its end waits for a notification before it.
const LAST_NOTIFICATION: Duration = Duration::from_secs(1);

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
        let notified = notify(progress, began.elapsed(), &activity);
        if let ControlFlow::Break(end) = meanwhile(notified, call.as_mut(), gone).await {
            return end;
        }
    }
}

/// Notifies while the call goes on, because a caller that reads nothing takes no notification either. The last one still
/// comes before the answer if the caller takes it in time.
async fn meanwhile<T>(
    notified: impl Future<Output = ()>,
    call: impl Future<Output = T>,
    gone: &CancellationToken,
) -> ControlFlow<Option<T>> {
    tokio::pin!(notified);
    tokio::select! {
        () = &mut notified => ControlFlow::Continue(()),
        outcome = call => {
            // The answer does not wait longer for it.
            let _ = timeout(LAST_NOTIFICATION, notified).await;
            ControlFlow::Break(Some(outcome))
        }
        () = gone.cancelled() => ControlFlow::Break(None),
    }
}

async fn notify(progress: &Progress, elapsed: Duration, activity: &str) {
    let message = format!("{activity}, {} s", elapsed.as_secs());
    if let Err(error) = progress.report(elapsed.as_secs_f64(), message).await {
        tracing::debug!(%error, "a progress notification was not sent");
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_takes_no_notification_delays_the_end_of_its_call_by_a_second_at_most() {
        let gone = CancellationToken::new();
        let call = async {
            tokio::time::sleep(HEARTBEAT).await;
            "answered"
        };
        let began = Instant::now();
        assert_eq!(meanwhile(pending(), call, &gone).await, ControlFlow::Break(Some("answered")));
        assert_eq!(began.elapsed(), HEARTBEAT + LAST_NOTIFICATION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_notification_comes_before_the_answer_and_a_caller_that_is_gone_waits_for_neither() {
        let gone = CancellationToken::new();
        assert_eq!(meanwhile(ready(()), pending::<()>(), &gone).await, ControlFlow::Continue(()));
        let mut sent = false;
        let late = async {
            tokio::time::sleep(LAST_NOTIFICATION / 2).await;
            sent = true;
        };
        assert_eq!(meanwhile(late, ready("answered"), &gone).await, ControlFlow::Break(Some("answered")));
        assert!(sent);
        gone.cancel();
        assert_eq!(meanwhile(pending(), pending::<()>(), &gone).await, ControlFlow::Break(None));
    }
}
