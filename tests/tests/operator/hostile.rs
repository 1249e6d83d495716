//! Policies that are written to end, hang or fill the operator: each is refused with its field, and the others go on
//! being reconciled.

use serde_json::json;
use tests::{
    bombs, memory,
    operator::Operator,
    policies::{Policies, spec},
};

#[tokio::test]
async fn a_hostile_policy_is_invalid_and_an_innocent_one_is_reconciled_meanwhile() {
    let policies = Policies::operated("hostile").await;
    policies.apply("innocent", &spec(json!({"service": {"type": "ClusterIP"}})));
    policies.wait_for_condition("innocent", "Accepted", "True", "Accepted").await;
    for (i, bomb) in bombs::all().into_iter().enumerate() {
        let name = format!("hostile-{i}");
        policies.apply(&name, &spec(bomb.spec));
        let condition = policies.wait_for_condition(&name, "Accepted", "False", "Invalid").await;
        assert!(condition.message.contains(bomb.refusal), "{}: {}", bomb.name, condition.message);
        assert!(condition.message.contains("spec.skills[0]."), "{}: {}", bomb.name, condition.message);
    }
    // All of them are still there, and are read again whenever something changes.
    policies.apply("innocent", &spec(json!({"service": {"type": "ClusterIP"}, "dataPlane": {"replicas": 2}})));
    let replicas = |deployment: &serde_json::Value| deployment["spec"]["replicas"] == 2;
    tests::waiting::until_true("the innocent policy's Deployment", || async {
        policies.object("Deployment", "innocent").await.is_some_and(|deployment| replicas(&deployment))
    })
    .await;
    let peak = Operator::shared().await.peak_mib();
    assert!(peak < memory::OPERATOR_MIB, "{peak} MiB");
}
