//! The only node is drained, so that its pods cannot go elsewhere.

use std::time::Instant;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use operator::controller::labels::FIELD_MANAGER;
use serde_json::json;
use tests::{
    events,
    policies::{Policies, condition},
    waiting,
};

use super::{NAME, all_run, is_answered, is_done, load, policy, until_all_is_up};
use crate::{
    pods::{self, Generation},
    setup::{self, PODS_LIMIT, cluster},
};

const NODE_PORT: u16 = 30353;
/// How long kubectl tries: a pod that is evicted ends within it, and one that must not be is tried several times.
const PATIENCE: &str = "--timeout=60s";
/// Most events of a reason: two for the creation of the policy and for each of the three things that are done to the node,
/// each of which leads it out of its state and back.
const EVENTS_MAX: u64 = 8;

/// A node that takes no pods until this is dropped, also if the test fails.
struct Drained(String);

impl Drained {
    /// The only node.
    fn only() -> Self {
        let nodes = cluster().kubectl(&["get", "nodes", "--output=jsonpath={.items[*].metadata.name}"]).expect_worked();
        assert!(!nodes.contains(' '), "pods could go to another node: {nodes}");
        Self(nodes)
    }

    /// Drains it as its owner does, which cordons it first, until kubectl gives up on what a budget protects.
    fn as_far_as_budgets_allow(&self, more: &[&str]) {
        let drain = ["drain", &self.0, "--ignore-daemonsets", "--delete-emptydir-data", "--force", PATIENCE];
        let drained = cluster().kubectl(&[&drain[..], more].concat());
        assert!(!drained.worked && drained.err.contains("disruption budget"), "{}{}", drained.out, drained.err);
    }

    /// It takes pods again.
    fn uncordon(&self) {
        cluster().kubectl(&["uncordon", &self.0]).expect_worked();
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let _ = cluster().kubectl(&["uncordon", &self.0]);
    }
}

/// Waits until so many pods may be evicted.
async fn until_the_budget_allows(policies: &Policies, count: u32) {
    waiting::until_true(&format!("the budget to allow {count}"), || async {
        let budget = policies.object("PodDisruptionBudget", NAME).await.unwrap_or_default();
        budget["status"]["disruptionsAllowed"] == json!(count)
    })
    .await;
}

/// The pod that is left of those of before, and ready.
async fn left(policies: &Policies, before: &Generation) -> String {
    let now = pods::of(policies, NAME).await;
    let left: Vec<&Pod> = now.iter().filter(|pod| before.contains_key(&pod.name_any())).collect();
    let [left] = left[..] else { panic!("one of {before:?} is left: {left:?}") };
    assert!(pods::is_ready(left), "{left:?}");
    left.name_any()
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Waits until no other pod is on the node.
async fn until_it_is_alone(policies: &Policies, pod: &str) {
    let api: Api<Pod> = Api::all(policies.client.clone());
    waiting::until_true_within(PODS_LIMIT, "no other pod to be on the node", || async {
        let all = api.list(&ListParams::default()).await.expect("pods").items;
        let placed = all.iter().filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()));
        placed.filter(|pod| !has_ended(pod)).map(ResourceExt::name_any).collect::<Vec<_>>() == [pod]
    })
    .await;
}

/// The operator cannot report from a node that it was evicted from. So the data planes are drained first, and the operator
/// stands for one on another node; then everything is drained, the operator, the models and the cluster's DNS as well.
#[tokio::test]
async fn a_drain_leaves_what_the_budget_protects_and_the_status_says_why_until_the_node_takes_pods_again() {
    if !is_done("a drain of the node") {
        return;
    }
    setup::brain().await;
    let policies = setup::prepared("e2e-drain").await;
    policies.apply(NAME, &policy(NODE_PORT, 0));
    let url = setup::served(&policies, NAME).await;
    until_the_budget_allows(&policies, 1).await;
    let (status, before) = (policies.wait_until_ready(NAME).await, pods::generation(&policies, NAME).await);

    let calls = load(NODE_PORT, None);
    let node = Drained::only();
    node.as_far_as_budgets_allow(&["--pod-selector=app.kubernetes.io/name=routing"]);
    until_the_budget_allows(&policies, 0).await;
    let survivor = left(&policies, &before).await;
    let waits = policies.wait_for_condition(NAME, "Programmed", "False", "PodNotRunning").await;
    assert!(waits.message.contains("Unschedulable: 0/1 nodes are available"), "{}", waits.message);
    policies.wait_for_condition(NAME, "Ready", "False", "PodNotRunning").await;
    let report = calls.end();
    println!("data planes drained, one of two is left: {}\n  {}", report.line(), waits.message);
    report.expect_no_failure();

    node.as_far_as_budgets_allow(&[]);
    until_it_is_alone(&policies, &survivor).await;
    setup::port_open(&url).await;
    let last = policies.get(NAME).await.status.expect("a status");
    assert_ne!(condition(&last, "Ready").map(|ready| ready.status.as_str()), Some("True"), "as it was last reported");

    let began = Instant::now();
    node.uncordon();
    let after = policies.wait_until_ready(NAME).await;
    println!("ready again {:.0?} after the node takes pods", began.elapsed());
    assert_eq!(after.config_hash, status.config_hash);
    all_run(&policies, NAME, &after).await;
    assert_eq!(left(&policies, &before).await, survivor, "what the budget protected was not replaced either");
    until_the_budget_allows(&policies, 1).await;
    until_all_is_up();
    waiting::until_true("a call to be answered", || is_answered(NODE_PORT)).await;
    println!("calls are answered again {:.0?} after the node takes pods", began.elapsed());
    let published = events::published(&policies.client, &policies.namespace, FIELD_MANAGER).await.expect("events");
    println!("events: {published:?}");
    assert!(published.contains_key("PodNotRunning"), "{published:?}");
    assert!(published.values().all(|count| *count <= EVENTS_MAX), "{published:?}");
    setup::let_go("e2e-drain");
}
