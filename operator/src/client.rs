//! The client of the API server.

use std::time::Duration;

use kube::{Client, Config, client::ClientBuilder};

use crate::OperatorError;

/// A connection that is half open must not keep the lease from being renewed, or from being taken over.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients of the API server.
#[derive(Clone)]
pub struct Clients {
    /// For everything, watches among it, which are silent for minutes.
    pub api: Client,
    /// For the lease: requests end in time.
    pub lease: Client,
}

/// Clients by the pod's ServiceAccount, or by KUBECONFIG where there is none.
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
    // The stack is kube's own; whoever tests faults puts a layer on it here.
    let builder = ClientBuilder::try_from(config).map_err(|e| OperatorError::Cluster(e.to_string()))?;
    Ok(builder.build())
}
