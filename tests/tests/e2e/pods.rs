//! The pods of a policy.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use tests::{policies::Policies, waiting};

use crate::{setup::PODS_LIMIT, tunnel::Tunnel};

/// Name, UID and restarts of each pod that is not terminating; if equal before and after, nothing was restarted.
pub type Generation = BTreeMap<String, (String, i32)>;

/// The pods of a policy that are not terminating.
pub async fn of(policies: &Policies, policy: &str) -> Vec<Pod> {
    let selector = format!("app.kubernetes.io/name=routing,app.kubernetes.io/instance={policy}");
    let api: Api<Pod> = Api::namespaced(policies.client.clone(), &policies.namespace);
    let pods = api.list(&ListParams::default().labels(&selector)).await.expect("a list").items;
    pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

/// The current pods of a policy, to compare with later ones.
pub async fn generation(policies: &Policies, policy: &str) -> Generation {
    let restarts = |pod: &Pod| {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        statuses.map(|status| status.restart_count).sum()
    };
    let pods = of(policies, policy).await;
    pods.iter().map(|pod| (pod.name_any(), (pod.uid().unwrap_or_default(), restarts(pod)))).collect()
}

/// Whether a pod's `Ready` condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Waits until one pod is left in the policy's namespace, with terminating ones counted.
pub async fn alone(policies: &Policies) {
    let api: Api<Pod> = Api::namespaced(policies.client.clone(), &policies.namespace);
    waiting::until_true_within(PODS_LIMIT, "old pods to terminate", || async {
        api.list(&ListParams::default()).await.expect("pods").items.len() <= 1
    })
    .await;
}

/// A tunnel to one pod of a policy.
pub async fn tunnel(policies: &Policies, policy: &str) -> Tunnel {
    let pods = of(policies, policy).await;
    Tunnel::to_pod(&policies.namespace, &pods.first().expect("a pod").name_any())
}

/// A tunnel to each pod of a policy.
pub async fn tunnels(policies: &Policies, policy: &str) -> Vec<Tunnel> {
    let pods = of(policies, policy).await;
    pods.iter().map(|pod| Tunnel::to_pod(&policies.namespace, &pod.name_any())).collect()
}
