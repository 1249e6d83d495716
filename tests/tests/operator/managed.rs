//! The brain that the operator runs beside a policy, on a real API server. `tests/e2e` shows that it runs.

use serde_json::{Value, json};
use tests::{
    policies::{Policies, condition, spec},
    waiting,
};

const CLAIM: &str = "data-edge-brain-0";
/// Kinds of the objects of a brain with a SQLite file; all of them are called `edge-brain`.
const OBJECTS: [&str; 4] = ["ServiceAccount", "NetworkPolicy", "Service", "StatefulSet"];

/// A policy with a managed brain, inside the cluster alone; `more` is added to `managed`.
fn managed(more: Value) -> Value {
    let mut managed = json!({"tokenSecretRef": {"name": "brain", "key": "TOKEN"}});
    for (name, value) in more.as_object().expect("fields") {
        managed[name] = value.clone();
    }
    spec(json!({"service": {"type": "ClusterIP"}, "brain": {"managed": managed}}))
}

/// With a brain elsewhere.
fn at_a_url() -> Value {
    spec(json!({"service": {"type": "ClusterIP"}, "brain": {"url": "http://127.0.0.1:9"}}))
}

async fn exists(policies: &Policies, kind: &str) -> bool {
    policies.object(kind, "edge-brain").await.is_some()
}

async fn until_all_are(policies: &Policies, kinds: &[&str], there: bool) {
    for kind in kinds {
        let what = format!("{kind} edge-brain to be there: {there}");
        waiting::until_true(&what, || async { exists(policies, kind).await == there }).await;
    }
}

async fn claim(policies: &Policies) -> Value {
    waiting::until("the claim", || policies.object("PersistentVolumeClaim", CLAIM)).await
}

async fn size(policies: &Policies) -> Value {
    claim(policies).await["spec"]["resources"]["requests"]["storage"].clone()
}

/// A class whose claims can grow, or not.
fn storage_class(policies: &Policies, name: &str, grows: bool) {
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "example.com/none", "allowVolumeExpansion": grows});
    policies.apply_document(class);
}

/// Says that a disk was found for the claim, as a provisioner does.
async fn bind(policies: &Policies) {
    claim(policies).await;
    let bound = json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}).to_string();
    policies.kubectl(&["patch", "pvc", CLAIM, "--subresource=status", "--type=merge", "--patch", &bound]);
}

/// Everything that the operator does for a managed brain: created, grown, replaced by one on Postgres, removed.
pub async fn tour(policies: &Policies) {
    storage_class(policies, "grows", true);
    policies.apply("edge", &managed(json!({"storageClassName": "grows"})));
    until_all_are(policies, &OBJECTS, true).await;
    bind(policies).await;
    policies.apply("edge", &managed(json!({"storageClassName": "grows", "storage": "2Gi"})));
    waiting::until_true("the claim to grow", || async { size(policies).await == json!("2Gi") }).await;
    let database = json!({"name": "database", "key": "URL"});
    policies.apply("edge", &managed(json!({"replicas": 2, "databaseURLSecretRef": database})));
    until_all_are(policies, &["Deployment", "PodDisruptionBudget"], true).await;
    until_all_are(policies, &["StatefulSet"], false).await;
    policies.apply("edge", &at_a_url());
    let all = ["ServiceAccount", "NetworkPolicy", "Service", "Deployment", "PodDisruptionBudget"];
    until_all_are(policies, &all, false).await;
}

#[tokio::test]
async fn a_claim_survives_the_brain_and_the_policy_and_is_used_again() {
    let policies = Policies::operated("managed-claim").await;
    policies.apply("edge", &managed(json!({})));
    until_all_are(&policies, &OBJECTS, true).await;
    let uid = claim(&policies).await["metadata"]["uid"].clone();
    policies.apply("edge", &at_a_url());
    until_all_are(&policies, &OBJECTS, false).await;
    policies.apply("edge", &managed(json!({})));
    until_all_are(&policies, &OBJECTS, true).await;
    policies.kubectl(&["delete", "rp", "edge"]);
    until_all_are(&policies, &OBJECTS, false).await;
    policies.apply("edge", &managed(json!({})));
    until_all_are(&policies, &OBJECTS, true).await;
    let problem = policies.get("edge").await.status.and_then(|status| condition(&status, "Stalled").cloned());
    assert_eq!(problem, None, "the claim of an earlier brain of this name is no stranger's");
    assert_eq!(claim(&policies).await["metadata"]["uid"], uid, "the same claim all along");
}

#[tokio::test]
async fn with_reclaim_delete_the_claim_goes_with_the_policy() {
    let policies = Policies::operated("managed-reclaim").await;
    policies.apply("edge", &managed(json!({"reclaim": "Delete"})));
    waiting::until_true("the claim to belong to the StatefulSet", || async {
        claim(&policies).await["metadata"]["ownerReferences"][0]["kind"] == json!("StatefulSet")
    })
    .await;
    policies.kubectl(&["delete", "rp", "edge"]);
    waiting::until_true("the claim to go", || async {
        policies.object("PersistentVolumeClaim", CLAIM).await.is_none()
    })
    .await;
}

#[tokio::test]
async fn what_no_claim_can_become_is_named_with_the_cure_and_the_brain_stays() {
    let policies = Policies::operated("managed-storage").await;
    storage_class(&policies, "fixed", false);
    policies.apply("edge", &managed(json!({"storageClassName": "fixed", "storage": "2Gi"})));
    bind(&policies).await;
    let uid = policies.object("StatefulSet", "edge-brain").await.expect("the brain")["metadata"]["uid"].clone();
    for (more, message) in [
        (json!({"storageClassName": "fixed", "storage": "1Gi"}), "a claim cannot shrink; set storage: 2Gi"),
        (json!({"storageClassName": "other", "storage": "2Gi"}), "has the class \"fixed\""),
        (json!({"storageClassName": "fixed", "storage": "3Gi"}), "allowVolumeExpansion: true"),
    ] {
        policies.apply("edge", &managed(more.clone()));
        policies
            .wait_for("edge", message, |status| {
                condition(status, "Stalled")
                    .is_some_and(|c| c.reason == "StorageRefused" && c.message.contains(message))
            })
            .await;
        // All else of the change is in force: the brain itself, and what the data plane runs.
        let brain = policies.object("StatefulSet", "edge-brain").await.expect("the brain");
        assert_eq!(brain["metadata"]["uid"], uid, "{more}");
        assert_eq!(size(&policies).await, json!("2Gi"), "{more}");
    }
    policies.apply("edge", &managed(json!({"storageClassName": "fixed", "storage": "2Gi"})));
    policies.wait_for("edge", "no complaint", |status| condition(status, "Stalled").is_none()).await;
}

#[tokio::test]
async fn an_object_or_a_claim_of_somebody_else_is_never_touched() {
    let policies = Policies::operated("managed-owned").await;
    policies.apply_document(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}));
    policies.apply_document(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "edge-brain"},
        "spec": {"ports": [{"port": 1}]}}));
    let version = |object: Option<Value>| object.expect("theirs")["metadata"]["resourceVersion"].clone();
    let versions = async || {
        let service = policies.object("Service", "edge-brain").await;
        (version(service), version(policies.object("PersistentVolumeClaim", CLAIM).await))
    };
    let before = versions().await;
    policies.apply("edge", &managed(json!({"storage": "2Gi"})));
    let owned = policies.wait_for_condition("edge", "Programmed", "False", "NotOwned").await;
    for name in ["Service edge-brain", "PersistentVolumeClaim data-edge-brain-0", "routing.hyperguild.io/adopt: edge"] {
        assert!(owned.message.contains(name), "{}", owned.message);
    }
    assert!(!exists(&policies, "StatefulSet").await, "no brain writes to that claim");
    assert!(policies.object("Deployment", "edge").await.is_none(), "and no data plane sends a token to that Service");
    assert_eq!(versions().await, before);
    policies.kubectl(&["delete", "service", "edge-brain"]);
    policies.kubectl(&["annotate", "pvc", CLAIM, "routing.hyperguild.io/adopt=edge"]);
    until_all_are(&policies, &OBJECTS, true).await;
}

#[tokio::test]
async fn the_status_says_where_the_brain_is_and_events_say_how_it_is() {
    let policies = Policies::operated("managed-status").await;
    policies.apply("edge", &managed(json!({"nodePort": 30334})));
    let status = policies
        .wait_for("edge", "the brain", |status| status.brain.as_ref().is_some_and(|brain| brain.node_port.is_some()))
        .await;
    let brain = status.brain.expect("a brain");
    assert_eq!(brain.url, "http://edge-brain.managed-status.svc:3300");
    assert_eq!(
        (brain.node_port, brain.replicas, brain.ready, brain.claim.as_deref()),
        (Some(30334), 1, 0, Some(CLAIM))
    );
    policies.wait_for_condition("edge", "BrainReady", "False", "Progressing").await;
    // As the kubelet reports a pod whose Secret does not exist.
    waiting::until("its pod", || policies.object("Pod", "edge-brain-0")).await;
    let waits = json!({"reason": "CreateContainerConfigError", "message": "secret \"brain\" not found"});
    let status = |state: Value, ready: bool| {
        let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
        json!({"status": {"phase": if ready { "Running" } else { "Pending" }, "conditions": [condition], "containerStatuses": [
            {"name": "brain", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state}]}})
        .to_string()
    };
    let report = |state: Value, ready: bool| {
        let patch = status(state, ready);
        policies.kubectl(&["patch", "pod", "edge-brain-0", "--subresource=status", "--type=merge", "--patch", &patch]);
    };
    report(json!({"waiting": waits}), false);
    let waiting = policies.wait_for_condition("edge", "BrainReady", "False", "PodNotRunning").await;
    assert!(waiting.message.contains("secret \"brain\" not found"), "{}", waiting.message);
    report(json!({"running": {}}), true);
    policies.wait_for_condition("edge", "BrainReady", "True", "BrainReady").await;
    let events = waiting::until("the events", || async {
        let reasons =
            policies.kubectl(&["get", "events", "--output=jsonpath={range .items[*]}{.action}/{.reason} {end}"]);
        reasons.contains("RunBrain/BrainReady").then_some(reasons)
    })
    .await;
    for event in ["RunBrain/Progressing", "RunBrain/PodNotRunning"] {
        assert!(events.contains(event), "{events}");
    }
}
