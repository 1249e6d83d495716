//! One replica works and the others stand by; a lease decides which.
//!
//! A replica that was paused and wakes up may work for a moment while the new one already does. That is harmless: both
//! send the same server-side applies.

use std::{future::Future, sync::Arc, time::Duration};

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
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
/// Wait before the lease is read again, or work that ended is started again; also the limit for releasing the lease.
const RETRY: Duration = Duration::from_secs(2);

/// Runs `work` while this replica holds the lease, from the start each time it gets it, until the token is cancelled.
pub async fn while_leading<W: Future<Output = ()>>(
    settings: &Settings,
    client: Client,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
    stop: CancellationToken,
    work: impl Fn() -> W,
) {
    let Some(manager) = stop.run_until_cancelled(lease(settings, &client, readiness)).await else { return };
    let (mut leading, task) = manager.watch().await;
    stop.run_until_cancelled(async {
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
    })
    .await;
    // Ends the task, which releases the lease: a replica that stands by need not wait until it expires.
    drop(leading);
    let given_back = tokio::time::timeout(RETRY, task).await;
    tracing::info!(lease = LEASE, given_back = given_back.is_ok(), "stopped competing for the lease");
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
                tracing::warn!(lease = LEASE, %namespace, %error, "the lease cannot be read");
                readiness.not_ready(format!("the lease {namespace}/{LEASE} cannot be read: {error}"));
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn wait_for(leading: &mut watch::Receiver<bool>, state: bool) {
    // An error means that the task that renews the lease has ended: this replica does not lead, and never will again.
    if leading.wait_for(|leading| *leading == state).await.is_err() && state {
        std::future::pending::<()>().await;
    }
}
