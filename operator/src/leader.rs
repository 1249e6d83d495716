//! One replica works and the others stand by; a lease decides which.
//!
//! A replica that was paused and wakes up may work for a moment while the new one already does. That is harmless: both
//! send the same server-side applies.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Readiness,
    metrics::Metrics,
    settings::{self, Settings},
};

/// Name of the Lease in the operator's namespace.
pub const LEASE: &str = settings::NAME;
/// A replica that stopped renewing the lease is replaced after this long, in seconds.
const LEASE_SECONDS: u64 = 15;
/// The lease is renewed this long before it expires, in seconds.
const RENEW_SECONDS: u64 = 10;
/// Wait before the lease is read or renewed again, or work that ended is started again; also the limit for releasing it.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is logged that the lease cannot be read or renewed.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Runs `work` while this replica holds the lease, from the start each time it gets it, until the token is cancelled.
pub async fn while_leading<W: Future<Output = ()>>(
    settings: &Settings,
    client: Client,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
    stop: CancellationToken,
    work: impl Fn() -> W,
) {
    // Once more when somebody has deleted the lease: the library creates one only as it begins.
    while let Some(manager) = stop.run_until_cancelled(lease(settings, &client, readiness)).await {
        let (elected, leading) = watch::channel(false);
        let round = async {
            tokio::select! {
                () = compete(&manager, &elected) => {}
                () = lead(leading, metrics, readiness, &work) => {}
            }
        };
        let stopped = stop.run_until_cancelled(round).await.is_none();
        metrics.leader.set(0);
        if stopped {
            give_back(&manager).await;
        }
    }
}

/// Takes the lease and renews it, and says whether this replica holds it, until there is no lease any more.
///
/// Not by the library's own task: that asks for a deleted lease for ever, in a leader that goes on and in a standby
/// that never leads; and after a few failures, however long ago, it waits longer than the lease lasts.
async fn compete(manager: &LeaseManager, elected: &watch::Sender<bool>) {
    let mut logged: Option<Instant> = None;
    loop {
        match manager.changed().await {
            Ok(leads) => {
                elected.send_replace(leads);
            }
            Err(error) if is_missing(&error) => {
                tracing::warn!(lease = LEASE, "the lease was deleted: competing for a new one");
                return;
            }
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    tracing::warn!(lease = LEASE, %error, "the lease cannot be read or renewed");
                    logged = Some(Instant::now());
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Whether there is no lease, found by reading it or by renewing it.
fn is_missing(error: &LeaseManagerError) -> bool {
    match error {
        LeaseManagerError::NonexistentLease(_) => true,
        LeaseManagerError::KubeError(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

/// Works while this replica is elected, and stands by while it is not.
async fn lead<W: Future<Output = ()>>(
    mut leading: watch::Receiver<bool>,
    metrics: &Metrics,
    readiness: &Readiness,
    work: &impl Fn() -> W,
) {
    loop {
        readiness.ready("standing by: another replica holds the lease");
        wait_for(&mut leading, true).await;
        tracing::info!(lease = LEASE, "elected");
        metrics.leader.set(1);
        readiness.not_ready("leading: waiting for the first list of policies".into());
        tokio::select! {
            () = work() => tokio::time::sleep(RETRY).await,
            () = wait_for(&mut leading, false) => tracing::warn!(lease = LEASE, "lost the lease: standing by"),
        }
        metrics.leader.set(0);
    }
}

async fn wait_for(leading: &mut watch::Receiver<bool>, state: bool) {
    // An error means that this replica competes no more, which ends the wait, too.
    if leading.wait_for(|leading| *leading == state).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Releases the lease: a replica that stands by need not wait until it expires.
async fn give_back(manager: &LeaseManager) {
    // The library panics if somebody else changes the lease at this moment.
    let released = tokio::time::timeout(RETRY, AssertUnwindSafe(manager.release()).catch_unwind()).await;
    let given_back = matches!(released, Ok(Ok(Ok(()))));
    tracing::info!(lease = LEASE, given_back, "stopped competing for the lease");
}

/// The lease, once the API server has answered; until then, `/readyz` reports why there is none.
async fn lease(settings: &Settings, client: &Client, readiness: &Readiness) -> LeaseManager {
    loop {
        let builder = LeaseManagerBuilder::new(client.clone(), LEASE)
            .with_namespace(&settings.pod_namespace)
            .with_identity(&settings.pod_name)
            .with_duration(LEASE_SECONDS)
            .with_grace(RENEW_SECONDS);
        match builder.build().await {
            Ok(manager) => return manager,
            Err(error) => {
                let namespace = &settings.pod_namespace;
                tracing::warn!(lease = LEASE, %namespace, %error, "the lease cannot be read or created");
                readiness.not_ready(format!("the lease {namespace}/{LEASE} cannot be read or created: {error}"));
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_lease_is_missing_if_reading_or_renewing_it_says_so_and_for_no_other_failure() {
        let answered = |code: u16| {
            let status = Status { code, ..Status::default() };
            LeaseManagerError::KubeError(kube::Error::Api(Box::new(status)))
        };
        assert!(is_missing(&LeaseManagerError::NonexistentLease(LEASE.into())) && is_missing(&answered(404)));
        assert!(![403, 409, 500].map(answered).iter().any(is_missing));
    }
}
