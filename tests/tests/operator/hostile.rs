//! Policies that are written to end, hang or fill the operator: each is refused with its field, and the others go on
//! being reconciled. The heaviest ones that are allowed fit into its memory.

use crds::{arguments::PATTERNS_MAX, policy::skill::SKILLS_MAX};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use serde_json::{Map, Value, json};
use tests::{
    bombs,
    cluster::deploy,
    control_plane::ControlPlane,
    memory,
    operator::Operator,
    policies::{Policies, config_map, spec},
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

#[tokio::test]
async fn a_large_text_that_is_referred_to_hundreds_of_times_costs_its_own_policy() {
    let policies = Policies::operated("hostile-texts").await;
    // Too large for kubectl, which would keep it in an annotation, too.
    let large: ConfigMap = serde_json::from_value(config_map("large", json!({"k": "x".repeat(980_000)}))).expect("one");
    let config_maps: Api<ConfigMap> = Api::namespaced(policies.client.clone(), &policies.namespace);
    config_maps.create(&PostParams::default(), &large).await.expect("created");
    for i in 0..3 {
        policies.apply(&format!("hostile-{i}"), &spec(bombs::references()));
    }
    policies.apply("innocent", &spec(json!({"service": {"type": "ClusterIP"}})));
    for i in 0..3 {
        let condition = policies.wait_for_condition(&format!("hostile-{i}"), "Accepted", "False", "Invalid").await;
        assert!(
            condition.message.contains("large/k: is 980000 bytes; a text has at most 65536"),
            "{}",
            condition.message
        );
    }
    policies.wait_for_condition("innocent", "Accepted", "True", "Accepted").await;
    let peak = Operator::shared().await.peak_mib();
    assert!(peak < memory::OPERATOR_MIB, "{peak} MiB");
}

/// As many skills as allowed: one with as many patterns as a policy may have, each nearly as large as it may be, the
/// others with as many paths through their schemas.
fn heavy(round: usize) -> Value {
    let patterns: Map<String, Value> =
        (0..PATTERNS_MAX).map(|i| (format!(".{{90}}{round}x{i}"), json!({"type": "string"}))).collect();
    let all = |part: Value| json!({"allOf": vec![part; 42]});
    let paths = json!({"type": "object", "$defs": {"d": all(json!({"type": "number"}))},
        "properties": {"a": all(json!({"$ref": "#/$defs/d"}))}});
    let stages = json!([{"system": {"text": "s"}, "user": "u"}]);
    let skill = |i: usize| json!({"name": format!("s{i}"), "description": "d", "inputSchema": paths, "stages": stages});
    let mut skills: Vec<Value> = (1..SKILLS_MAX).map(skill).collect();
    let schema = json!({"type": "object", "properties": {"a": {"patternProperties": patterns}}});
    skills.push(json!({"name": "debug", "inputSchema": schema}));
    json!({"skills": skills, "service": {"type": "ClusterIP"}})
}

#[tokio::test]
async fn the_heaviest_policies_fit_into_the_operators_default_memory_limit() {
    let plane = ControlPlane::own().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &["--resync=100ms"]).await;
    operator.wait_until("watching").await;
    let at_rest = operator.peak_mib();
    let policies = Policies::in_new_namespace(plane, "heavy").await;
    for round in 0..2 {
        for i in 0..6 {
            policies.apply(&format!("heavy-{i}"), &spec(heavy(round)));
        }
    }
    for i in 0..6 {
        policies.wait_for_condition(&format!("heavy-{i}"), "Accepted", "True", "Accepted").await;
    }
    let limit = memory::OPERATOR_MIB;
    let peak = operator.peak_mib();
    println!(
        "memory of the operator: {at_rest} MiB at rest, {peak} MiB with 6 of the heaviest policies; limit {limit}"
    );
    assert!(peak < limit, "{peak} MiB, and {limit} MiB are allowed");
}
