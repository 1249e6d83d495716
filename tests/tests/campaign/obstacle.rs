//! What keeps objects from being created for a while.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use kube::{
    Api, Resource,
    api::{DeleteParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tests::waiting;

use super::place::Place;

const NAME: &str = "in-the-way";
/// How long it is in the way.
const FOR_A_WHILE: Duration = Duration::from_secs(5);

/// A quota that allows no new objects; whether it was there.
pub async fn quota(place: &Place) -> bool {
    let none = ["services", "configmaps", "pods", "count/deployments.apps", "count/serviceaccounts"];
    let hard: Value = none.into_iter().map(|what| (what.to_string(), json!("0"))).collect();
    in_the_way::<ResourceQuota>(place, json!({"metadata": {"name": NAME}, "spec": {"hard": hard}})).await
}

/// A range that no pod of a policy is in; whether it was there.
pub async fn limit_range(place: &Place) -> bool {
    let limits = json!([{"type": "Container", "max": {"memory": "1Mi"}}]);
    in_the_way::<LimitRange>(place, json!({"metadata": {"name": NAME}, "spec": {"limits": limits}})).await
}

/// Creates an object, and deletes it after a while.
async fn in_the_way<K>(place: &Place, object: Value) -> bool
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(place.client.clone(), &place.namespace);
    let object: K = serde_json::from_value(object).expect("an object");
    if api.create(&PostParams::default(), &object).await.is_err() {
        return false;
    }
    tokio::time::sleep(FOR_A_WHILE).await;
    let parameters = DeleteParams::default();
    waiting::until("it to be out of the way", || async { api.delete(NAME, &parameters).await.ok() }).await;
    true
}
