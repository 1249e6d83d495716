//! The client of the API server.

use kube::{Client, Config, client::ClientBuilder};

use crate::OperatorError;

/// A client by the pod's ServiceAccount, or by KUBECONFIG where there is none.
///
/// # Errors
/// Neither can be used.
pub async fn connect() -> Result<Client, OperatorError> {
    let config = Config::infer().await.map_err(|e| OperatorError::Cluster(e.to_string()))?;
    // The stack is kube's own; whoever tests faults puts a layer on it here.
    let builder = ClientBuilder::try_from(config).map_err(|e| OperatorError::Cluster(e.to_string()))?;
    Ok(builder.build())
}
