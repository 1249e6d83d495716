//! Connects to the API server: a client for the lease, with short time-outs, and one for everything else.

use std::time::Duration;

use kube::{Client, Config, client::ClientBuilder};

use crate::OperatorError;

/// Limit of connecting, and for the lease of reading and of writing: a half-open connection must not prevent it from being
/// renewed or taken over.
pub const LEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer, or the next part of it, may take: longer than a [watch] is silent before the API server ends it. A
/// connection that died without a word is noticed by it.
///
/// [watch]: WATCH_SECONDS
pub const SILENCE_MAX: Duration = Duration::from_secs(75);
/// How long the API server is to keep one request of a watch open, in seconds; then the watch goes on with another.
pub(crate) const WATCH_SECONDS: u32 = 60;

/// Clients of the API server, with the same credentials.
#[derive(Clone)]
pub struct Clients {
    /// For everything but the lease; whatever is silent for 75 s fails.
    pub api: Client,
    /// For the lease: connecting, reading and writing fail after 5 s each.
    pub lease: Client,
}

/// Connects as a kubeconfig describes (`KUBECONFIG` or `~/.kube/config`), or, without one, as the pod's ServiceAccount.
///
/// # Errors
/// Neither can be used.
pub async fn connect() -> Result<Clients, OperatorError> {
    let mut config = Config::infer().await.map_err(|e| OperatorError::Cluster(e.to_string()))?;
    config.connect_timeout = Some(LEASE_TIMEOUT);
    config.read_timeout = Some(SILENCE_MAX);
    let mut in_time = config.clone();
    in_time.read_timeout = Some(LEASE_TIMEOUT);
    in_time.write_timeout = Some(LEASE_TIMEOUT);
    Ok(Clients { api: client(config)?, lease: client(in_time)? })
}

fn client(config: Config) -> Result<Client, OperatorError> {
    // kube's own stack; to test faults, add a layer here.
    let builder = ClientBuilder::try_from(config).map_err(|e| OperatorError::Cluster(e.to_string()))?;
    Ok(builder.build())
}
