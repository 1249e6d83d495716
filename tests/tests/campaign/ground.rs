//! The control plane where plans run, and the operator's account there: its own ServiceAccount, with its own rights and no
//! others.

use std::{path::PathBuf, sync::Arc};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tests::{
    cluster::deploy,
    control_plane::ControlPlane,
    operator::{SERVICE_ACCOUNT, kubeconfig, user},
};

use super::{
    faults::Faults,
    operated::{Operated, Replica},
    place::Place,
    wait,
};

/// Name of the role for the leases of plans.
const LEASES: &str = "campaign-leases";

/// Where plans run.
pub struct Ground {
    /// The control plane.
    pub plane: &'static ControlPlane,
    /// The administrator's client.
    pub client: Client,
    /// The configuration of operators' clients.
    pub config: Config,
    /// The same as a file.
    pub kubeconfig: PathBuf,
}

impl Ground {
    /// A control plane for the rest of this process, with the operator's account.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn prepare() -> Self {
        // Never freed: it runs until the process ends.
        let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start_unrecorded().await));
        let client = plane.client().await;
        plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
        grant_leases(plane);
        until_granted(plane).await;
        let kubeconfig = kubeconfig(plane, "campaign");
        let read = Kubeconfig::read_from(&kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.expect("a config");
        Self { plane, client, config, kubeconfig }
    }

    /// Starts the operator of a namespace.
    #[must_use]
    pub fn operate(&self, place: &Place, faults: &Arc<Faults>) -> Operated {
        Operated::start(&self.config, &place.namespace, Replica::First, Arc::clone(faults))
    }
}

/// The rights for the lease hold in the operator's own namespace; here each plan has a lease in its own one.
fn grant_leases(plane: &ControlPlane) {
    let (account, namespace) = SERVICE_ACCOUNT;
    let role = plane.kubectl(&["get", "role", account, "--namespace", namespace, "--output=json"]).expect_worked();
    let role: Value = serde_json::from_str(&role).expect("JSON");
    let (api_version, metadata) = ("rbac.authorization.k8s.io/v1", json!({"name": LEASES}));
    let everywhere =
        json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata, "rules": role["rules"]});
    let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": LEASES});
    let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace});
    let binding = json!({"apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": reference, "subjects": [subject]});
    for object in [everywhere, binding] {
        plane.kubectl_with(&["apply", "--filename", "-"], &object.to_string()).expect_worked();
    }
}

/// The API server takes a moment to apply rights.
async fn until_granted(plane: &ControlPlane) {
    let user = format!("--as={}", user());
    for what in ["leases.coordination.k8s.io", "routingpolicies.routing.hyperguild.io"] {
        wait::until_true(&format!("the operator to have rights for {what}"), || async {
            plane.kubectl(&["auth", "can-i", "get", what, "--namespace=default", &user]).worked
        })
        .await;
    }
}
