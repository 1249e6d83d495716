//! The user of a plan: applies the policy, changes its prompt, deletes it, and tries again what was not taken.

use std::time::Duration;

use crds::RoutingPolicy;
use kube::{
    Api, Resource,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::{policies::config_map, waiting};

use super::{
    place::{POLICY, Place},
    scenario::{PROMPTS, Step},
};

/// Longest wait for the operator before the user goes on all the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the user looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Does all of this, one after the other.
///
/// # Panics
/// If the API server does not take one of the steps within a minute.
pub async fn follow(place: &Place, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Apply(spec) => {
                apply(place, spec).await;
                patiently("the policy to be observed", || is_observed(place)).await;
            }
            Step::Hastily(spec) => apply(place, spec).await,
            Step::Prompt(text) => prompt(place, text).await,
            Step::Delete => delete(place).await,
        }
    }
}

async fn apply(place: &Place, spec: &Value) {
    let policy = json!({
        "apiVersion": RoutingPolicy::api_version(&()),
        "kind": RoutingPolicy::kind(&()),
        "metadata": {"name": POLICY},
        "spec": spec,
    });
    put(&place.policies(), POLICY, &policy).await;
}

async fn prompt(place: &Place, text: &str) {
    let (name, key) = PROMPTS;
    put(&place.objects("ConfigMap"), name, &config_map(name, json!({key: text}))).await;
}

async fn put(api: &Api<DynamicObject>, name: &str, object: &Value) {
    let (apply, patch) = (PatchParams::apply("user").force(), Patch::Apply(object));
    let what = format!("a user's {name} to be taken: {object}");
    waiting::until(&what, || async { api.patch(name, &apply, &patch).await.ok() }).await;
}

/// Not while a child has no owner: what was tampered with a moment ago would be left behind for ever, as there is no
/// finalizer that could wait for it.
async fn delete(place: &Place) {
    patiently("the children to have owners", || children_are_owned(place)).await;
    let policies = place.policies();
    waiting::until_true("the policy to be deleted", || async {
        match policies.delete(POLICY, &DeleteParams::default()).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) => status.code == 404,
            Err(_) => false,
        }
    })
    .await;
}

/// Waits until something holds, and no longer than a user would.
async fn patiently<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let holds = waiting::until_true(what, || {
        let holds = holds();
        async {
            tokio::time::sleep(LOOK_EVERY).await;
            holds.await
        }
    });
    // What becomes of it is seen at the end.
    let _ = tokio::time::timeout(PATIENCE, holds).await;
}

async fn is_observed(place: &Place) -> bool {
    let Ok(Some(policy)) = place.policy().await else { return false };
    let generation = json!(policy.metadata.generation);
    generation.is_i64() && policy.data["status"]["observedGeneration"] == generation
}

async fn children_are_owned(place: &Place) -> bool {
    let is_owned = |object: &DynamicObject| {
        object.metadata.owner_references.iter().flatten().any(|owner| owner.kind == RoutingPolicy::kind(&()))
    };
    place.children().await.is_ok_and(|children| children.iter().all(|child| is_owned(&child.object)))
}
