//! A policy of one namespace never stops the operator for the others.

use serde_json::{Value, json};
use tests::{
    cluster::deploy,
    control_plane::ControlPlane,
    operator::Operator,
    policies::{Policies, config_map, spec},
    waiting,
};

/// A value within objects of this key, this deep.
fn nested(key: &str, depth: usize) -> Value {
    (0..depth).fold(json!({}), |inner, _| json!({key: inner}))
}

/// Policies that the API server takes, nested deeper than parsers read.
fn deep_policies() -> Vec<(&'static str, Value)> {
    let skill = |schema: Value| {
        json!({"skills": [{"name": "notes", "description": "d", "inputSchema": schema,
            "stages": [{"system": {"text": "s"}, "user": "u"}]}]})
    };
    let properties = |inner: Value| json!({"type": "object", "properties": {"a": inner}});
    vec![
        ("not", skill(properties(nested("not", 150)))),
        ("items", skill(properties(nested("items", 1_000)))),
        ("parameters", json!({"models": {"local": {"parameters": nested("a", 200)}}})),
    ]
}

async fn stalled(policies: &Policies, name: &str) -> String {
    let path = r#"--output=jsonpath={.status.conditions[?(@.type=="Stalled")].message}"#;
    waiting::until(&format!("{name} to be refused"), || async {
        Some(policies.kubectl(&["get", "rp", name, path])).filter(|message| !message.is_empty())
    })
    .await
}

/// Deletes what the operator made of a policy: it comes back while the operator works.
async fn is_reconciled(policies: &Policies, name: &str) {
    waiting::until("its Service", || policies.object("Service", name)).await;
    policies.kubectl(&["delete", "service", name]);
    waiting::until("its Service, recreated", || policies.object("Service", name)).await;
}

#[tokio::test]
async fn what_is_nested_deeper_than_parsers_read_hides_no_other_policy() {
    let plane = ControlPlane::own().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let hostile = Policies::in_new_namespace(plane, "hostile").await;
    let innocent = Policies::in_new_namespace(plane, "innocent").await;
    for (name, change) in deep_policies() {
        hostile.apply(name, &spec(change));
    }
    // Managed fields can be nested at will, in every kind that is watched.
    hostile.apply_document(config_map("deep", json!({})));
    let entry = json!({"manager": "m", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": nested("f:a", 500)});
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [entry]}]).to_string();
    hostile.kubectl(&["patch", "configmap", "deep", "--type=json", "--patch", &patch]);
    innocent.apply("edge", &spec(json!({})));

    let operator = Operator::start(plane, "operator", &[]).await;
    operator.wait_until("watching").await;
    is_reconciled(&innocent, "edge").await;
    for (name, _) in deep_policies() {
        let message = stalled(&hostile, name).await;
        assert!(message.contains("levels deep; at most 100 are allowed"), "{name}: {message}");
    }
    // A restart lists everything anew.
    operator.kill();
    operator.start_again();
    operator.wait_until("watching").await;
    is_reconciled(&innocent, "edge").await;
    // One more while it runs.
    hostile.apply("later", &spec(json!({"models": {"claude": {"parameters": nested("b", 300)}}})));
    stalled(&hostile, "later").await;
    is_reconciled(&innocent, "edge").await;
    // A child that this test deletes while it is being applied is applied again.
    let deleted_meanwhile = |line: &&str| line.contains("uid mismatch");
    let troubles = ["a watch failed", "reconcile failed"];
    let log = operator.log();
    let trouble =
        log.lines().filter(|line| !deleted_meanwhile(line)).find(|line| troubles.iter().any(|t| line.contains(t)));
    assert_eq!(trouble, None);
}
