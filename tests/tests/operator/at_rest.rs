//! Once all is as specified: nothing is written, and nothing is asked for but by watches.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{
    cluster::deploy,
    control_plane::ControlPlane,
    operator::Operator,
    policies::{Policies, config_map, spec},
    requests::Requests,
    stand_in::kubelet::Kubelet,
    waiting,
};

use crate::own_plane::{metric, plane};

#[tokio::test]
async fn in_the_steady_state_nothing_is_written() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &["--resync=100ms"]).await;
    operator.wait_until("watching").await;
    let policies = Policies::in_new_namespace(plane, "steady").await;
    let kubelet = Kubelet::start(plane, "steady").await;
    let tokens = json!([{"name": "a", "secretRef": {"name": "s", "key": "K"}}]);
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}, "access": {"tokens": tokens}})));
    policies.kubectl(&["create", "secret", "generic", "s", "--from-literal=K=canary"]);
    policies.kubectl(&["annotate", "rp", "edge", "routing.hyperguild.io/requestedAt=now"]);
    policies.wait_until_ready("edge").await;
    policies.wait_for_last_good("edge").await;
    // The controllers finish writing about the rollout within a few reconciliations.
    after_reconciliations(&operator, 20).await;

    let (before, begin, writes_before) = (policies.versions("edge").await, reconciles(&operator).await, writes(plane));
    after_reconciliations(&operator, 100).await;
    assert_eq!(policies.versions("edge").await, before, "a resourceVersion changed");
    let resyncs = reconciles(&operator).await - begin;
    let writes_after = writes(plane);
    for (object, count) in &writes_after {
        let sent = count - writes_before.get(object).copied().unwrap_or_default();
        assert!(sent <= resyncs, "{object}: {sent} writes in {resyncs} resyncs");
    }
    let sent: u64 = writes_after.values().sum::<u64>() - writes_before.values().sum::<u64>();
    println!("{resyncs} resyncs: no resourceVersion changed, {sent} writes sent");
    drop(kubelet);
}

/// How many writes of the operator the API server recorded, by object, without those to its lease.
fn writes(plane: &ControlPlane) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for entry in plane.audit() {
        let (verb, object) = (entry["verb"].as_str().unwrap_or_default(), &entry["objectRef"]);
        if matches!(verb, "create" | "patch" | "update" | "delete") && object["resource"] != json!("leases") {
            *all.entry(format!("{} {} {}", object["resource"], object["subresource"], object["name"])).or_default() +=
                1;
        }
    }
    all
}

/// How many times the operator has reconciled.
async fn reconciles(operator: &Operator) -> u64 {
    metric(operator, "routing_operator_reconciles_total").await
}

/// Waits until the operator has reconciled so many times more.
async fn after_reconciliations(operator: &Operator, more: u64) {
    let end = reconciles(operator).await + more;
    waiting::until_true(&format!("{more} reconciliations"), || async { reconciles(operator).await >= end }).await;
}

#[tokio::test]
async fn at_rest_nothing_is_asked_but_by_watches() {
    let plane = plane().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &["--resync=1s"]).await;
    operator.wait_until("watching").await;
    let policies = Policies::in_new_namespace(plane, "at-rest").await;
    let kubelet = Kubelet::start(plane, "at-rest").await;
    policies.apply_document(config_map("prompts", json!({"p.md": "be brief"})));
    let system = json!({"configMapKeyRef": {"name": "prompts", "key": "p.md"}});
    policies.apply(
        "asleep",
        &spec(json!({
            "skills": [{"name": "debug", "stages": [{"system": system, "user": "{{ args.problem }}"}]}],
            "service": {"type": "ClusterIP"},
            "dataPlane": {"replicas": 0},
        })),
    );
    policies.kubectl(&["create", "secret", "generic", "s", "--from-literal=K=canary"]);
    let tokens = json!([{"name": "a", "secretRef": {"name": "s", "key": "K"}}]);
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 2}, "access": {"tokens": tokens}})));
    policies.wait_until_ready("edge").await;
    policies.wait_for_last_good("edge").await;
    policies.wait_for_condition("asleep", "Ready", "True", "ScaledToZero").await;
    // The controllers finish writing about the rollout within a few resyncs of the two policies.
    after_reconciliations(&operator, 10).await;

    let mut read = 0;
    assert!(Requests::since(plane, &mut read).count() > 0, "what it asked for before is recorded");
    after_reconciliations(&operator, 20).await;
    let others = Requests::since(plane, &mut read).only(|kind| !kind.is_watch_or_lease());
    assert_eq!(others, Requests::default(), "in 10 resyncs of two policies");
    drop(kubelet);
}
