//! Flux's objects, as its users see them.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tests::{cluster::deploy, manifests, waiting};

use super::site::{NAMESPACE, Site};
use crate::setup::{self, cluster};

/// Longest wait for Flux: meanwhile pods may be replaced, which end only after they have answered their calls.
const LIMIT: Duration = Duration::from_secs(300);
/// Flux's annotation that requests a reconciliation at once.
const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// The Secret with the key that secrets in Git are encrypted for.
const KEY: &str = "sops-age";
/// The Kustomizations of `deploy/flux`, each after those that it depends on.
pub const KUSTOMIZATIONS: [&str; 3] = ["routing-crds", "routing-operator", "routing-policies"];

/// The `Ready` condition.
#[derive(Debug)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, as one word in CamelCase.
    pub reason: String,
    /// Why, as text.
    pub message: String,
    /// The generation of the object that it is about.
    generation: i64,
}

async fn api(kind: &str) -> Api<DynamicObject> {
    let group = if kind == "GitRepository" { "source" } else { "kustomize" };
    let gvk = GroupVersionKind::gvk(&format!("{group}.toolkit.fluxcd.io"), "v1", kind);
    Api::namespaced_with(cluster().client().await, NAMESPACE, &ApiResource::from_gvk(&gvk))
}

/// An object as JSON.
pub async fn object(kind: &str, name: &str) -> Value {
    serde_json::to_value(api(kind).await.get(name).await.expect("the object")).expect("JSON")
}

/// Changes fields of an object.
pub async fn patch(kind: &str, name: &str, change: Value) {
    api(kind).await.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.expect("patched");
}

/// Requests a reconciliation, as `flux reconcile` does, and returns the token that Flux repeats in the status.
pub async fn request(kind: &str, name: &str) -> String {
    let now = Timestamp::now().to_string();
    patch(kind, name, json!({"metadata": {"annotations": {REQUESTED_AT: now}}})).await;
    now
}

/// Requests a reconciliation of a Kustomization and waits until it is over.
pub async fn reconciled(name: &str) {
    let asked = request("Kustomization", name).await;
    waiting::until_true_within(LIMIT, &format!("{name} to be reconciled"), || async {
        let status = &object("Kustomization", name).await["status"];
        let over = ready(status).is_some_and(|ready| ready.status != "Unknown");
        over && status["lastHandledReconcileAt"] == json!(asked)
    })
    .await;
}

/// Has Flux fetch a commit, and waits until it is done.
pub async fn fetched(revision: &str) {
    request("GitRepository", "routing").await;
    waiting::until_true_within(LIMIT, &format!("{revision} to be fetched"), || async {
        let repository = object("GitRepository", "routing").await;
        repository["status"]["artifact"]["revision"] == json!(revision)
    })
    .await;
}

/// Waits until a commit is applied and all that it holds is healthy.
pub async fn applied(name: &str, revision: &str) {
    fetched(revision).await;
    let last = settled(name, revision).await;
    assert_eq!(last.status, "True", "{name} at {revision}: {last:?}");
}

/// Waits until a Kustomization reports that a commit cannot be applied, or is not healthy.
pub async fn refused(name: &str, revision: &str) -> Ready {
    fetched(revision).await;
    let last = settled(name, revision).await;
    assert_eq!(last.status, "False", "{name} at {revision}: {last:?}");
    last
}

/// Waits until a Kustomization has finished a commit. While it waits for another, it reports `DependencyNotReady`.
async fn settled(name: &str, revision: &str) -> Ready {
    let what = format!("{name} to have finished {revision}");
    waiting::until_within(LIMIT, &what, || async {
        let object = object("Kustomization", name).await;
        let status = &object["status"];
        // The generation of the condition: the one of the status is that of the last success.
        let last = ready(status).filter(|ready| json!(ready.generation) == object["metadata"]["generation"])?;
        let of_this = status["lastAttemptedRevision"] == json!(revision);
        (of_this && last.status != "Unknown" && last.reason != "DependencyNotReady").then_some(last)
    })
    .await
}

/// The `Ready` condition of a status.
pub fn ready(status: &Value) -> Option<Ready> {
    let condition = status["conditions"].as_array()?.iter().find(|condition| condition["type"] == json!("Ready"))?;
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_string();
    let generation = condition["observedGeneration"].as_i64()?;
    Some(Ready { status: text("status"), reason: text("reason"), message: text("message"), generation })
}

/// `deploy/flux`, with this repository's address instead of the example's.
pub fn objects(url: &str) -> String {
    let rendered = cluster().kubectl(&["kustomize", &deploy("flux")]).expect_worked();
    let mut objects = manifests::objects(&rendered);
    let source = objects.iter_mut().find(|object| object["kind"] == "GitRepository").expect("a source");
    source["spec"]["url"] = json!(url);
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// Flux's objects, which are deleted when this is dropped; what Flux has applied stays.
pub struct Told;

/// A Flux without a key; the objects that it gets meanwhile are deleted when this is dropped.
pub fn nothing() -> Told {
    setup::operator_is_anothers();
    cluster().kubectl(&["--namespace", NAMESPACE, "delete", "secret", KEY, "--ignore-not-found"]).expect_worked();
    Told
}

/// Gives Flux objects, and the key of the secrets in Git.
pub fn tell(site: &Site, objects: &str) -> Told {
    let told = nothing();
    let key = format!("--from-file=age.agekey={}", site.age_key().display());
    cluster().kubectl(&["--namespace", NAMESPACE, "create", "secret", "generic", KEY, &key]).expect_worked();
    cluster().apply(NAMESPACE, objects);
    told
}

impl Drop for Told {
    fn drop(&mut self) {
        let kinds = ["kustomizations.kustomize.toolkit.fluxcd.io", "gitrepositories.source.toolkit.fluxcd.io"];
        let flux = |arguments: &[&str]| cluster().kubectl(&[&["--namespace", NAMESPACE][..], arguments].concat());
        // A suspended Kustomization prunes nothing.
        for name in flux(&["get", kinds[0], "--output=name"]).out.lines() {
            flux(&["patch", name, "--type=merge", "--patch", r#"{"spec": {"suspend": true}}"#]);
        }
        for kind in kinds {
            flux(&["delete", kind, "--all", "--timeout=60s"]);
        }
    }
}
