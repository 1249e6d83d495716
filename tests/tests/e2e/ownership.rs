//! What the operator leaves alone, and what it repairs.

use serde_json::{Value, json};
use tests::waiting;

use crate::{pods, setup};

#[tokio::test]
async fn a_restart_by_hand_completes_and_stays_and_a_deleted_service_returns() {
    let policies = setup::prepared("e2e-owned").await;
    policies.apply("edge", &setup::spec(json!({"dataPlane": {"replicas": 2}})));
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    policies.kubectl(&["rollout", "restart", "deployment/edge"]);
    policies.kubectl(&["rollout", "status", "deployment/edge", "--timeout=180s"]);
    let after = pods::generation(&policies, "edge").await;
    assert!(after.keys().all(|pod| !before.contains_key(pod)), "{before:?} {after:?}");

    let service = policies.object("Service", "edge-nodeport").await.expect("the Service");
    policies.kubectl(&["delete", "service", "edge-nodeport"]);
    let back = waiting::until("the Service to return", || policies.object("Service", "edge-nodeport")).await;
    assert_ne!(service["metadata"]["uid"], back["metadata"]["uid"]);
    policies.wait_until_ready("edge").await;
    let deployment = policies.object("Deployment", "edge").await.expect("the Deployment");
    let annotation = &deployment["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    assert!(matches!(annotation, Value::String(_)), "the restart is not undone: {deployment}");
    setup::let_go("e2e-owned");
}
