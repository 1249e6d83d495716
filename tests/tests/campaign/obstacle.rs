//! What keeps objects from being created for a while. An obstacle that nothing ran into would show nothing: something is
//! created meanwhile.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{LimitRange, Pod, ResourceQuota},
};
use kube::{
    Api, Resource,
    api::{DeleteParams, ListParams, Patch, PostParams},
    core::NamespaceResourceScope,
};
use operator::controller::labels;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    faults::Faults,
    place::{POLICY, Place},
    tampering::{Tampering, as_others},
    wait,
};

const NAME: &str = "in-the-way";
/// What a quota counts: the children of every kind.
const EVERY_CHILD: [&str; 7] = [
    "services",
    "configmaps",
    "count/serviceaccounts",
    "count/deployments.apps",
    "count/statefulsets.apps",
    "count/poddisruptionbudgets.policy",
    "count/networkpolicies.networking.k8s.io",
];
/// Longest wait until something runs into it.
const MET_WITHIN: Duration = Duration::from_secs(20);
/// How long it stays in the way then.
const STAYS: Duration = Duration::from_secs(3);
/// Pods that no scenario wants: more than there are.
const MORE_PODS: u8 = 3;

/// A quota that allows no new objects, while a child is gone; whether the operator was refused one for it.
pub async fn quota(place: &Place, faults: &Faults, choice: u64) -> bool {
    let hard: Value = EVERY_CHILD.into_iter().map(|what| (what.to_string(), json!("0"))).collect();
    let quota = json!({"metadata": {"name": NAME}, "spec": {"hard": hard}});
    let before = faults.refusals("quota");
    let met = || async {
        // The API server takes a moment to apply the quota: what was created meanwhile is deleted once more.
        let was_met = faults.refusals("quota") > before;
        if !was_met && is_in_force(place).await {
            Tampering::DeletedOne.act(place, choice).await;
        }
        was_met
    };
    in_the_way::<ResourceQuota, _>(place, quota, met).await
}

async fn is_in_force(place: &Place) -> bool {
    let quotas: Api<ResourceQuota> = Api::namespaced(place.client.clone(), &place.namespace);
    let quota = quotas.get(NAME).await.ok().and_then(|quota| quota.status);
    quota.is_some_and(|status| status.hard.is_some_and(|hard| !hard.is_empty()))
}

/// A range that no pod of a policy is in, while the policy is scaled up; whether a pod was refused for it.
pub async fn limit_range(place: &Place) -> bool {
    let limits = json!([{"type": "Container", "max": {"memory": "1Mi"}}]);
    let range = json!({"metadata": {"name": NAME}, "spec": {"limits": limits}});
    let met = || async {
        let scaled = Patch::Merge(json!({"spec": {"dataPlane": {"replicas": MORE_PODS}}}));
        // There may be no policy, or the user scales it down.
        let _ = place.policies().patch(POLICY, &as_others(), &scaled).await;
        are_pods_refused(place).await || delete_pods(place).await
    };
    in_the_way::<LimitRange, _>(place, range, met).await
}

/// Whether the Deployment's controller reports so.
async fn are_pods_refused(place: &Place) -> bool {
    let deployments: Api<Deployment> = Api::namespaced(place.client.clone(), &place.namespace);
    let deployment = deployments.get(POLICY).await.ok().and_then(|deployment| deployment.status);
    let conditions = deployment.and_then(|status| status.conditions).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
}

/// Those that came before the range was in force; always false: they are to be created again.
async fn delete_pods(place: &Place) -> bool {
    let pods: Api<Pod> = Api::namespaced(place.client.clone(), &place.namespace);
    let of_policy = ListParams::default().labels(&labels::selector_text(POLICY));
    // If it fails, it is done again.
    let _ = pods.delete_collection(&DeleteParams::default(), &of_policy).await;
    false
}

/// Creates an object, and deletes it a while after something met it; whether it did.
async fn in_the_way<K, F>(place: &Place, object: Value, met: impl FnMut() -> F) -> bool
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + Debug + Serialize + DeserializeOwned,
    F: Future<Output = bool>,
{
    let api: Api<K> = Api::namespaced(place.client.clone(), &place.namespace);
    let object: K = serde_json::from_value(object).expect("an object");
    if api.create(&PostParams::default(), &object).await.is_err() {
        return false;
    }
    let was_met = wait::for_a_while(MET_WITHIN, met).await;
    tokio::time::sleep(STAYS).await;
    let parameters = DeleteParams::default();
    wait::until("it to be out of the way", || async { api.delete(NAME, &parameters).await.ok() }).await;
    was_met
}
