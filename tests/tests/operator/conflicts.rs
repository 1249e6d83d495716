//! A conflict is named in one condition, is not retried again and again, and touches nothing that runs.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tests::{
    control_plane::ControlPlane,
    policies::{CHILD_KINDS, Policies, condition, config_map, spec},
    policy::merged,
    waiting,
};

/// A stage of a skill whose system prompt is in a ConfigMap.
fn from_a_prompt(config_map: &str, key: &str, user: &str) -> Value {
    json!({"system": {"configMapKeyRef": {"name": config_map, "key": key}}, "user": user})
}

/// The resourceVersions of all children, by kind and name; of a Deployment the generation, as its status may change.
async fn versions(policies: &Policies) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for kind in CHILD_KINDS {
        let objects = policies.objects(kind).list(&kube::api::ListParams::default()).await.expect("a list");
        for object in objects.items.into_iter().map(|object| serde_json::to_value(object).expect("JSON")) {
            let field = if kind == "Deployment" { "generation" } else { "resourceVersion" };
            all.insert(format!("{kind} {}", object["metadata"]["name"]), object["metadata"][field].to_string());
        }
    }
    all
}

async fn node_port(policies: &Policies, service: &str) -> Value {
    policies
        .object("Service", service)
        .await
        .map(|service| service["spec"]["ports"][0]["nodePort"].clone())
        .unwrap_or_default()
}

/// How many of the operator's writes to an object the API server refused.
fn refused_writes(plane: &ControlPlane, namespace: &str, name: &str) -> usize {
    let of_it = |entry: &&Value| {
        let object = &entry["objectRef"];
        object["namespace"] == namespace
            && object["name"] == name
            && entry["verb"] == "patch"
            && entry["responseStatus"]["code"].as_i64().is_some_and(|code| code >= 400)
    };
    plane.audit().iter().filter(of_it).count()
}

#[tokio::test]
async fn a_node_port_that_is_taken_is_named_and_used_once_it_is_free() {
    let plane = ControlPlane::shared().await;
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-taken").await;
    policies.apply("edge", &spec(json!({"service": {"nodePort": 30311}})));
    policies.wait_until_ready("edge").await;
    policies.apply_document(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"},
        "spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30312}]}}));
    policies.apply("edge", &spec(json!({"service": {"nodePort": 30312}, "limits": {"inFlight": 5}})));
    let taken = policies.wait_for_condition("edge", "Programmed", "False", "NodePortTaken").await;
    assert!(taken.message.contains("30312") && taken.message.contains("Service edge-nodeport"), "{}", taken.message);
    let status = policies.get("edge").await.status.expect("a status");
    assert_eq!(
        condition(&status, "Stalled").map(|c| (c.status.as_str(), c.reason.as_str())),
        Some(("True", "NodePortTaken"))
    );
    assert_eq!(node_port(&policies, "edge-nodeport").await, json!(30311), "the old one keeps serving");
    assert_eq!(status.endpoint.and_then(|endpoint| endpoint.node_port), Some(30311));
    policies.kubectl(&["delete", "service", "other"]);
    policies.wait_until_ready("edge").await;
    assert_eq!(node_port(&policies, "edge-nodeport").await, json!(30312));
    let tries = refused_writes(plane, "conflicts-taken", "edge-nodeport");
    assert!((1..=4).contains(&tries), "{tries} tries");
    drop(kubelet);
}

#[tokio::test]
async fn a_node_port_out_of_range_is_named_with_the_range() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-range").await;
    policies.apply("edge", &spec(json!({"service": {"nodePort": 7}})));
    let range = policies.wait_for_condition("edge", "Programmed", "False", "NodePortOutOfRange").await;
    assert!(range.message.contains("30310-32767"), "{}", range.message);
    // Everything else exists: inside the cluster it serves.
    policies.wait_for("edge", "its pod", |status| status.replicas.is_some_and(|r| r.programmed == 1)).await;
    assert!(policies.object("Service", "edge").await.is_some());
    drop(kubelet);
}

#[tokio::test]
async fn of_two_policies_with_one_node_port_the_first_keeps_it() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-two").await;
    policies.apply("first", &spec(json!({"service": {"nodePort": 30313}})));
    policies.wait_until_ready("first").await;
    policies.apply("second", &spec(json!({"service": {"nodePort": 30313}})));
    policies.wait_for_condition("second", "Ready", "False", "NodePortTaken").await;
    policies.kubectl(&["delete", "rp", "first"]);
    policies.wait_until_ready("second").await;
    assert_eq!(node_port(&policies, "second-nodeport").await, json!(30313));
    drop(kubelet);
}

#[tokio::test]
async fn an_exhausted_quota_is_named_for_pods_and_for_services() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-quota").await;
    policies.apply("edge", &spec(json!({})));
    policies.wait_until_ready("edge").await;
    let before = kubelet.addresses();
    policies.apply_document(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": 1, "services": 2}}}));
    waiting::until_true("the quota to be counted", || async {
        let quota = policies.object("ResourceQuota", "few").await.unwrap_or_default();
        quota["status"]["used"]["pods"] == json!("1") && quota["status"]["used"]["services"] == json!("2")
    })
    .await;
    policies.apply("edge", &spec(json!({"dataPlane": {"replicas": 3}})));
    let pods = policies.wait_for_condition("edge", "Programmed", "False", "QuotaExceeded").await;
    assert!(pods.message.contains("pods") && pods.message.contains("few"), "{}", pods.message);
    policies.apply("other", &spec(json!({})));
    let services = policies.wait_for_condition("other", "Programmed", "False", "QuotaExceeded").await;
    assert!(services.message.contains("Service other"), "{}", services.message);
    assert_eq!(kubelet.addresses(), before, "what ran keeps running");
    policies.kubectl(&["delete", "resourcequota", "few"]);
    policies.wait_until_ready("edge").await;
}

#[tokio::test]
async fn an_object_of_another_owner_is_left_alone_until_it_is_adopted() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-owned").await;
    policies.apply_document(config_map("edge", json!({"theirs": "kept"})));
    policies.apply("edge", &spec(json!({})));
    let owned = policies.wait_for_condition("edge", "Programmed", "False", "NotOwned").await;
    assert!(owned.message.starts_with("ConfigMap edge already exists and has no owner"), "{}", owned.message);
    assert!(owned.message.contains("routing.hyperguild.io/adopt: edge"), "{}", owned.message);
    for kind in ["Deployment", "Service", "ServiceAccount", "NetworkPolicy"] {
        assert!(policies.object(kind, "edge").await.is_none(), "no {kind} without its ConfigMap");
    }
    let theirs = policies.object("ConfigMap", "edge").await.expect("theirs");
    assert_eq!(theirs["data"], json!({"theirs": "kept"}));
    assert!(theirs["metadata"].get("ownerReferences").is_none());

    policies.kubectl(&["annotate", "configmap", "edge", "routing.hyperguild.io/adopt=edge"]);
    policies.wait_until_ready("edge").await;
    let adopted = policies.object("ConfigMap", "edge").await.expect("the ConfigMap");
    assert_eq!(adopted["data"]["theirs"], json!("kept"), "what others set is kept");
    assert_eq!(adopted["metadata"]["ownerReferences"][0]["name"], json!("edge"));
    drop(kubelet);
}

#[tokio::test]
async fn an_object_that_another_controller_owns_names_it() {
    let (policies, _kubelet) = Policies::operated_with_pods("conflicts-owner").await;
    policies.apply("first", &spec(json!({"service": {"type": "ClusterIP"}})));
    let first = policies.get("first").await.metadata.uid.expect("a UID");
    let owner = json!({"apiVersion": "routing.hyperguild.io/v1alpha1", "kind": "RoutingPolicy", "name": "first",
        "uid": first, "controller": true});
    policies.apply_document(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "second", "ownerReferences": [owner]}, "spec": {"ports": [{"port": 1}]}}));
    policies.apply("second", &spec(json!({"service": {"type": "ClusterIP"}})));
    let owned = policies.wait_for_condition("second", "Ready", "False", "NotOwned").await;
    assert!(
        owned.message.starts_with("Service second already exists and is controlled by RoutingPolicy first"),
        "{}",
        owned.message
    );
}

#[tokio::test]
async fn a_deployment_with_another_selector_cannot_be_adopted_and_keeps_running() {
    let (policies, _kubelet) = Policies::operated_with_pods("conflicts-selector").await;
    // As in the plain manifests.
    policies.apply_document(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "edge", "annotations": {"routing.hyperguild.io/adopt": "edge"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "edge"}},
            "template": {
                "metadata": {"labels": {"app": "edge"}},
                "spec": {"containers": [{"name": "routing", "image": "old"}]},
            },
        },
    }));
    policies.apply("edge", &spec(json!({})));
    let invalid = policies.wait_for_condition("edge", "Programmed", "False", "ChildInvalid").await;
    assert!(invalid.message.contains("Deployment edge") && invalid.message.contains("selector"), "{}", invalid.message);
    let deployment = policies.object("Deployment", "edge").await.expect("theirs");
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], json!("old"));
}

#[tokio::test]
async fn an_invalid_change_is_named_with_path_and_value_and_touches_nothing_that_runs() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-invalid").await;
    let skill = |stage: &Value, schema: &Value| {
        let skill = json!({"name": "notes", "description": "d", "inputSchema": schema, "stages": [stage]});
        spec(json!({"skills": [skill]}))
    };
    let object = |field: Value| json!({"type": "object", "properties": {"a": field}});
    let with_a_text = object(json!({"type": "string"}));
    let text = |user: &str| json!({"system": {"text": "s"}, "user": user});
    policies.apply_document(config_map("prompts", json!({"p.md": "be brief"})));
    policies.apply("edge", &skill(&from_a_prompt("prompts", "p.md", "{{ args.a }}"), &with_a_text));
    let good = policies.wait_until_ready("edge").await;
    policies.wait_for_last_good("edge").await;
    let before = versions(&policies).await;
    let rows = [
        (text("{% if"), &with_a_text, "spec.skills[0].stages[0].user: line 1"),
        (text("{{ args.b }}"), &with_a_text, "spec.skills[0].stages[0].user: unknown variable args.b"),
        (
            from_a_prompt("prompts", "q.md", "u"),
            &with_a_text,
            "spec.skills[0].stages[0].system.configMapKeyRef: \
             prompts/q.md: the ConfigMap has no such key; it has: p.md",
        ),
        (
            from_a_prompt("nothing", "q.md", "u"),
            &with_a_text,
            "spec.skills[0].stages[0].system.configMapKeyRef: nothing/q.md: there is no ConfigMap nothing",
        ),
        (text("u"), &json!({"type": 7}), "spec.skills[0].inputSchema: "),
        (text("u"), &object(json!({"$ref": "http://x/y"})), "spec.skills[0].inputSchema: "),
    ];
    for (stage, schema, expected) in rows {
        policies.apply("edge", &skill(&stage, schema));
        let refused = policies.wait_for_condition("edge", "Accepted", "False", "Invalid").await;
        assert!(refused.message.starts_with(expected), "{}\n{expected}", refused.message);
        let status = policies.get("edge").await.status.expect("a status");
        assert_eq!(status.config_hash, good.config_hash, "the last good config stays in force");
        assert_eq!(status.replicas.map(|r| r.programmed), Some(1));
        for kind in ["Ready", "Stalled"] {
            assert_eq!(condition(&status, kind).map(|c| c.reason.as_str()), Some("Invalid"), "{kind}");
        }
        let of_references = expected.contains("configMapKeyRef");
        let resolved = condition(&status, "ResolvedRefs").expect("always there");
        assert_eq!((resolved.status == "False", resolved.reason == "ConfigMapMissing"), (of_references, of_references));
        assert_eq!(versions(&policies).await, before, "no child was touched");
    }
    drop(kubelet);
}

#[tokio::test]
async fn a_prompt_that_changes_or_appears_later_is_noticed_and_one_that_is_too_large_is_refused() {
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-prompts").await;
    let stage = from_a_prompt("prompts", "p.md", "{{ args.problem }}");
    policies.apply("edge", &spec(json!({"skills": [{"name": "debug", "stages": [stage]}]})));
    policies.wait_for_condition("edge", "Accepted", "False", "Invalid").await;
    let prompts = |text: &str| config_map("prompts", json!({"p.md": text}));
    policies.apply_document(prompts("be brief"));
    let first = policies.wait_until_ready("edge").await;
    policies.apply_document(prompts("be thorough"));
    let second = policies.wait_for("edge", "the changed prompt", |status| {
        status.config_hash != first.config_hash && condition(status, "Ready").is_some_and(|c| c.status == "True")
    });
    let second = second.await;
    policies.apply_document(prompts(&"x".repeat(64 * 1024 + 1)));
    let refused = policies.wait_for_condition("edge", "Accepted", "False", "Invalid").await;
    assert!(
        refused.message.starts_with(
            "spec.skills[0].stages[0].system.configMapKeyRef: prompts/p.md: is 65537 bytes; a text has at most 65536: shorten it"
        ),
        "{}",
        refused.message
    );
    assert_eq!(policies.get("edge").await.status.and_then(|s| s.config_hash), second.config_hash);
    policies.kubectl(&["delete", "configmap", "prompts"]);
    policies.wait_for_condition("edge", "ResolvedRefs", "False", "ConfigMapMissing").await;
    drop(kubelet);
}

#[tokio::test]
async fn a_config_too_large_for_a_config_map_is_a_condition() {
    let (policies, _kubelet) = Policies::operated_with_pods("conflicts-large").await;
    policies.kubectl_create(&config_map("prompts", json!({"p.md": "x".repeat(64 * 1024)})));
    let stages = vec![from_a_prompt("prompts", "p.md", "u"); 8];
    policies.apply("edge", &spec(json!({"skills": [{"name": "debug", "stages": stages}]})));
    let refused = policies.wait_for_condition("edge", "Accepted", "False", "TooLarge").await;
    assert!(refused.message.contains("must be at most 512000"), "{}", refused.message);
}

#[tokio::test]
async fn a_policy_that_always_fails_delays_no_other() {
    let plane = ControlPlane::shared().await;
    let (policies, kubelet) = Policies::operated_with_pods("conflicts-many").await;
    for i in 0..12 {
        policies.apply(&format!("bad-{i}"), &spec(json!({"service": {"nodePort": 7}})));
    }
    for i in 0..12 {
        policies.wait_for_condition(&format!("bad-{i}"), "Ready", "False", "NodePortOutOfRange").await;
    }
    let began = std::time::Instant::now();
    policies.apply("good", &spec(json!({})));
    policies.wait_until_ready("good").await;
    println!("ready after {:?}, with 12 other policies that fail", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(60));
    let tries = refused_writes(plane, "conflicts-many", "bad-0-nodeport");
    assert!((1..=4).contains(&tries), "{tries} tries");
    drop(kubelet);
}

#[tokio::test]
async fn the_status_is_written_whole_whoever_wrote_to_it_before() {
    let (policies, _kubelet) = Policies::operated_with_pods("conflicts-status").await;
    policies.apply("edge", &spec(json!({})));
    policies.wait_until_ready("edge").await;
    // Nobody's fields any more, and then somebody else's.
    let lost = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]).to_string();
    policies.kubectl(&["patch", "rp", "edge", "--type=json", "--patch", &lost]);
    let odd = json!({"type": "Odd", "status": "True", "reason": "Odd", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let status = json!({"conditions": [odd], "skills": [{"name": "ghost", "route": "Local"}]});
    let theirs = merged(
        json!({"apiVersion": "routing.hyperguild.io/v1alpha1", "kind": "RoutingPolicy", "metadata": {"name": "edge"}}),
        json!({"status": status}),
    );
    policies.apply_status(&theirs, "someone-else");
    policies.apply("edge", &spec(json!({"limits": {"inFlight": 7}})));
    let status = policies.wait_until_ready("edge").await;
    waiting::until_true("the status to be the operator's alone", || async {
        let status = policies.get("edge").await.status.unwrap_or_default();
        status.condition("Odd").is_none() && status.skills.iter().all(|skill| skill.name != "ghost")
    })
    .await;
    assert!(status.condition("Reconciling").is_none());
    // Reconciling comes and goes: where two managers share the list, its removal leaves a part that is invalid.
    policies.apply("edge", &spec(json!({"service": {"type": "ClusterIP"}, "dataPlane": {"podLabels": {"a": "b"}}})));
    policies.wait_until_ready("edge").await;
}

#[tokio::test]
async fn an_autoscaler_of_the_deployment_is_named_with_the_cure() {
    let policies = Policies::operated("conflicts-scaled").await;
    policies.apply("edge", &spec(json!({"service": {"type": "ClusterIP"}})));
    let replicas = || async {
        let deployment = policies.object("Deployment", "edge").await.unwrap_or_default();
        deployment["spec"]["replicas"].as_u64()
    };
    waiting::until_true("the Deployment", || async { replicas().await == Some(1) }).await;
    policies.wait_for("edge", "a status", |status| !status.conditions.is_empty()).await;
    let contested = || async { policies.get("edge").await.status.unwrap_or_default().condition("Contested").cloned() };
    // One that it undoes unseen, with a change of its own, does not count.
    let mut rounds = 0;
    while contested().await.is_none() {
        assert!(rounds < 20, "after {rounds} corrections nobody is told");
        // As the autoscaler writes.
        let scale = json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]).to_string();
        let (kind, by) = (["patch", "deployment", "edge", "--subresource=scale"], "--field-manager=autoscaler");
        policies.kubectl(&[&kind[..], &[by, "--type=json", "--patch", &scale]].concat());
        waiting::until_true("the correction", || async { replicas().await == Some(1) }).await;
        policies.wait_for("edge", "a status", |status| !status.conditions.is_empty()).await;
        rounds += 1;
    }
    assert!(rounds >= 3, "not at the first corrections: {rounds}");
    let contested = policies.wait_for_condition("edge", "Contested", "True", "FieldContested").await;
    let said = "autoscaler keeps changing spec.replicas of Deployment edge, and the operator changes it back: an autoscaler \
                must target the RoutingPolicy";
    assert!(contested.message.starts_with(said), "{}", contested.message);
    waiting::until_true("the event", || async { policies.events("FieldContested") == [contested.message.clone()] })
        .await;
}
