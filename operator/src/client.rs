//! Connects to the API server: a client for the lease, with short time-outs, and one for everything else.

use std::time::Duration;

use kube::{Client, Config, client::ClientBuilder};

use crate::OperatorError;

/// Limit of connecting, of reading and of writing: a half-open connection must not prevent the lease from being renewed
/// or taken over.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Clients of the API server, with the same credentials.
#[derive(Clone)]
pub struct Clients {
    /// For everything but the lease, including watches, which can be silent for minutes.
    pub api: Client,
    /// For the lease: connecting, reading and writing fail after 5 s each.
    pub lease: Client,
}

/// Connects as a kubeconfig describes (`KUBECONFIG` or `~/.kube/config`), or, without one, as the pod's ServiceAccount.
///
/// # Errors
/// Neither can be used.
pub async fn connect() -> Result<Clients, OperatorError> {
    let config = Config::infer().await.map_err(|e| OperatorError::Cluster(e.to_string()))?;
    let mut in_time = config.clone();
    in_time.connect_timeout = Some(LEASE_TIMEOUT);
    in_time.read_timeout = Some(LEASE_TIMEOUT);
    in_time.write_timeout = Some(LEASE_TIMEOUT);
    Ok(Clients { api: client(config)?, lease: client(in_time)? })
}

fn client(config: Config) -> Result<Client, OperatorError> {
    // kube's own stack; to test faults, add a layer here.
    let builder = ClientBuilder::try_from(config).map_err(|e| OperatorError::Cluster(e.to_string()))?;
    Ok(builder.build())
}
