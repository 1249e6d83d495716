//! 200 calls a second from many callers, while the data plane is changed, rolled, scaled, evicted and deleted.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams},
};
use serde_json::{Value, json};
use tests::{policies::Policies, waiting};

use crate::{
    load::{Load, Plan},
    memory, pods,
    setup::{self, IMAGES, count, spec},
};

/// Its port on every node: one that no other Service gets by chance.
const NODE_PORT: u16 = 30350;
const PER_SECOND: u32 = 200;

/// The policy under load; `n` is what changes in its config.
fn policy(replicas: u32, image: &str, n: u32) -> Value {
    spec(json!({
        "service": {"nodePort": NODE_PORT},
        "limits": {"inFlight": 1_000 + n},
        "dataPlane": {"replicas": replicas, "image": image},
    }))
}

fn plan() -> Plan {
    Plan {
        port: NODE_PORT,
        token: None,
        per_second: PER_SECOND,
        slow_one_in: 20,
        slow: Duration::from_secs(count(10, 60)),
    }
}

/// Applies the policy and waits until all pods run it.
async fn settle(policies: &Policies, replicas: u32, image: &str, n: u32) {
    policies.apply("edge", &policy(replicas, image, n));
    policies.wait_until_ready("edge").await;
}

/// Prints how many calls have failed so far.
fn said(load: &Load, what: &str) {
    println!("  {what}: {} failed so far", load.failures());
}

/// Waits until this many other pods are ready, and the policy is ready.
async fn replaced(policies: &Policies, pod: &str, replicas: usize) {
    waiting::until_true("another pod to be ready in its place", || async {
        let pods = pods::of(policies, "edge").await;
        let ready = pods.iter().filter(|other| other.name_any() != pod && pods::is_ready(other)).count();
        ready == replicas
    })
    .await;
    policies.wait_until_ready("edge").await;
}

#[tokio::test]
async fn no_call_fails_while_the_data_plane_is_changed_rolled_scaled_and_evicted() {
    let policies = setup::prepared("e2e-load").await;
    let api: Api<Pod> = Api::namespaced(policies.client.clone(), "e2e-load");
    settle(&policies, 1, IMAGES[0], 0).await;
    setup::served(&policies, "edge").await;
    memory::print("at rest", "e2e-load").await;
    let load = Load::start(plan());
    let changes = count(10, 30);
    for n in 1..=changes {
        settle(&policies, 1, IMAGES[0], n).await;
    }
    said(&load, &format!("{changes} policy changes"));
    memory::print(&format!("under {PER_SECOND} calls a second"), "e2e-load").await;
    settle(&policies, 1, IMAGES[1], changes).await;
    said(&load, "a rolling update to another image");
    settle(&policies, 3, IMAGES[1], changes).await;
    said(&load, "scaled from 1 to 3");
    let evicted = pods::of(&policies, "edge").await.first().map(ResourceExt::name_any).expect("a pod");
    waiting::until_true("the budget to allow one", || async {
        let budget = policies.object("PodDisruptionBudget", "edge").await.unwrap_or_default();
        budget["status"]["disruptionsAllowed"] == json!(1)
    })
    .await;
    api.evict(&evicted, &EvictParams::default()).await.expect("the budget allows one");
    let budget = policies.object("PodDisruptionBudget", "edge").await.expect("the budget");
    let counts =
        |status: &Value| status["disruptionsAllowed"] == json!(0) || status["disruptedPods"].get(&evicted).is_some();
    assert!(counts(&budget["status"]), "the eviction counts: {budget}");
    replaced(&policies, &evicted, 3).await;
    said(&load, "an eviction under the PodDisruptionBudget");
    let deleted = pods::of(&policies, "edge").await.first().map(ResourceExt::name_any).expect("a pod");
    api.delete(&deleted, &DeleteParams::default()).await.expect("deleted");
    replaced(&policies, &deleted, 3).await;
    said(&load, "a pod deleted");
    settle(&policies, 1, IMAGES[1], changes).await;
    pods::alone(&policies).await;
    said(&load, "scaled from 3 to 1, and the pods that were replaced are gone");
    let report = load.end();
    println!("{}", report.line());
    report.expect_no_failure();
    memory::print("after the load", "e2e-load").await;

    let load = Load::start(Plan { slow_one_in: 0, ..plan() });
    let only = pods::of(&policies, "edge").await.first().map(ResourceExt::name_any).expect("a pod");
    api.delete(&only, &DeleteParams::default()).await.expect("deleted");
    replaced(&policies, &only, 1).await;
    pods::alone(&policies).await;
    let report = load.end();
    println!("the only pod deleted (no goal): {}", report.line());
    report.failures.iter().take(3).for_each(|failure| println!("  {failure}"));
    setup::let_go("e2e-load");
}
