//! The user of a plan: applies the policy, changes its prompt, deletes it, and tries again what was not taken.

use std::time::Duration;

use crds::RoutingPolicy;
use kube::{
    Error, Resource,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::policies::config_map;

use super::{
    place::{POLICY, Place},
    scenario::{OWN_PORT, PROMPTS, Step},
    wait,
};

/// The user's field manager.
const USER: &str = "user";
/// Longest wait for the operator before the user goes on all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does all of this, one after the other.
///
/// # Panics
/// If the API server does not take one of the steps in time.
pub async fn follow(place: &Place, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Apply(spec) => {
                apply(place, spec).await;
                // What becomes of it is seen at the end.
                wait::for_a_while(PATIENCE, || is_observed(place)).await;
            }
            Step::Hastily(spec) => apply(place, spec).await,
            Step::Prompt(text) => prompt(place, text).await,
            Step::Delete => delete(place).await,
        }
    }
}

/// Replaces the whole spec, as GitOps does: which of its fields are known to be whose must not decide what the user wants.
async fn apply(place: &Place, spec: &Value) {
    let (policies, spec) = (place.policies(), with_own_port(place, spec.clone()));
    let replace = json!([{"op": "add", "path": "/spec", "value": spec}]);
    let as_user = PatchParams { field_manager: Some(USER.into()), ..PatchParams::default() };
    wait::until(&format!("a user's policy to be taken: {spec}"), || async {
        let patch = Patch::Json::<()>(serde_json::from_value(replace.clone()).expect("a JSON patch"));
        match policies.patch(POLICY, &as_user, &patch).await {
            Err(Error::Api(status)) if status.code == 404 => create(place, &spec).await,
            answer => answer.ok().map(drop),
        }
    })
    .await;
}

async fn create(place: &Place, spec: &Value) -> Option<()> {
    let policy = json!({
        "apiVersion": RoutingPolicy::api_version(&()),
        "kind": RoutingPolicy::kind(&()),
        "metadata": {"name": POLICY},
        "spec": spec,
    });
    let policy: DynamicObject = serde_json::from_value(policy).expect("a policy");
    let as_user = PostParams { field_manager: Some(USER.into()), ..PostParams::default() };
    place.policies().create(&as_user, &policy).await.ok().map(drop)
}

/// A fixed port on every node is one of the place's own.
fn with_own_port(place: &Place, mut spec: Value) -> Value {
    if let Some(port) = spec.pointer_mut("/service/nodePort").filter(|port| **port == json!(OWN_PORT)) {
        *port = json!(place.take_port());
    }
    spec
}

async fn prompt(place: &Place, text: &str) {
    let ((name, key), config_maps) = (PROMPTS, place.objects("ConfigMap"));
    let object = config_map(name, json!({key: text}));
    let (apply, patch) = (PatchParams::apply(USER).force(), Patch::Apply(&object));
    wait::until("a user's prompt to be taken", || async { config_maps.patch(name, &apply, &patch).await.ok() }).await;
}

/// Not while a child has no owner: what was tampered with a moment ago would be left behind for ever, as there is no
/// finalizer that could wait for it.
async fn delete(place: &Place) {
    wait::for_a_while(PATIENCE, || children_are_owned(place)).await;
    let policies = place.policies();
    wait::until_true("the policy to be deleted", || async {
        match policies.delete(POLICY, &DeleteParams::default()).await {
            Ok(_) => true,
            Err(Error::Api(status)) => status.code == 404,
            Err(_) => false,
        }
    })
    .await;
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
