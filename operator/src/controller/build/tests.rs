use serde_json::{Value, json};

use super::*;
use crate::controller::{dereference::Texts, labels, validate::validate};

pub(super) fn policy(more: &str) -> RoutingPolicy {
    let spec =
        format!("upstream: {{url: \"http://a:4000\"}}\nmodels: {{local: {{name: l}}, claude: {{name: c}}}}\n{more}");
    let mut policy = RoutingPolicy::new("edge", serde_saphyr::from_str(&spec).expect(more));
    policy.metadata.namespace = Some("house".into());
    policy.metadata.uid = Some("u1".into());
    policy
}

pub(super) fn built(more: &str) -> BTreeMap<String, Value> {
    built_after(None, more)
}

fn built_after(last_good: Option<String>, more: &str) -> BTreeMap<String, Value> {
    let policy = policy(more);
    let valid = validate(&policy, &[], &Texts::new(), &[]).expect(more);
    let installation = Installation { image: "routing:1".into(), namespace: "operators".into() };
    let children = build(&policy, &valid, last_good, &installation).into_list();
    children.into_iter().map(|child| (child.key.to_string(), child.body)).collect()
}

fn pod(more: &str) -> Value {
    built(more)["Deployment edge"]["spec"]["template"]["spec"].clone()
}

/// The policy is not called like the product, so that the test notices if name and instance are swapped.
#[test]
fn a_plain_policy_has_six_children_that_belong_to_it() {
    let names: Vec<String> = built("").into_keys().collect();
    let expected = [
        "ConfigMap edge",
        "Deployment edge",
        "NetworkPolicy edge",
        "Service edge",
        "Service edge-nodeport",
        "ServiceAccount edge",
    ];
    assert_eq!(names, expected);
    for (name, body) in built("") {
        let metadata = &body["metadata"];
        let labels = json!({"app.kubernetes.io/name": "routing", "app.kubernetes.io/instance": "edge", "app.kubernetes.io/managed-by": "routing-operator"});
        assert_eq!((&metadata["labels"], &metadata["namespace"]), (&labels, &json!("house")), "{name}");
        assert_eq!(metadata["ownerReferences"][0]["uid"], json!("u1"), "{name}");
        assert_eq!(metadata["annotations"][labels::POLICY_UID], json!("u1"), "{name}");
        assert!(body.get("status").is_none_or(Value::is_null), "{name}");
    }
    insta::assert_snapshot!("deployment", serde_saphyr::to_string(&built("")["Deployment edge"]).expect("YAML"));
}

#[test]
fn the_type_of_service_decides_what_is_exposed() {
    for (more, exposed) in [
        ("service: {type: NodePort, nodePort: 30310}", Some("Service edge-nodeport")),
        ("service: {type: LoadBalancer}", Some("Service edge-lb")),
        ("service: {type: ClusterIP}", None),
    ] {
        let children = built(more);
        let found: Vec<&String> = children.keys().filter(|name| name.starts_with("Service edge-")).collect();
        assert_eq!(found, exposed.into_iter().collect::<Vec<_>>(), "{more}");
    }
    let children = built("service: {port: 80, nodePort: 30310, annotations: {a: b}}");
    let port = &children["Service edge-nodeport"]["spec"]["ports"][0];
    assert_eq!(*port, json!({"name": "mcp", "port": 80, "protocol": "TCP", "targetPort": "mcp", "nodePort": 30310}));
    assert_eq!(children["Service edge-nodeport"]["metadata"]["annotations"]["a"], json!("b"));
    assert!(children["Service edge"]["metadata"]["annotations"].get("a").is_none(), "only on the exposed Service");
    assert_eq!(children["Service edge"]["spec"]["type"], json!("ClusterIP"));
}

#[test]
fn each_secret_key_is_one_optional_file_of_the_one_volume() {
    let pod = pod(
        "access: {tokens: [{name: a, secretRef: {name: s, key: A}}, {name: b, secretRef: {name: s, key: B}}, {name: c, secretRef: {name: t, key: A}}]}",
    );
    let volumes = pod["volumes"].as_array().expect("volumes");
    assert_eq!(volumes.len(), 1);
    let sources = &volumes[0]["projected"]["sources"];
    assert_eq!(sources[0], json!({"configMap": {"name": "edge"}}));
    let item = |secret: &str, key: &str| json!({"key": key, "path": format!("secrets/{secret}/{key}")});
    assert_eq!(
        sources[1],
        json!({"secret": {"name": "s", "items": [item("s", "A"), item("s", "B")], "optional": true}})
    );
    assert_eq!(sources[2], json!({"secret": {"name": "t", "items": [item("t", "A")], "optional": true}}));
}

#[test]
fn pods_outlive_the_longest_call_and_hold_no_credentials() {
    let pod = pod("timeouts: {local: 1s, total: 1500ms}");
    assert_eq!(pod["terminationGracePeriodSeconds"], json!(22), "1.5 s and 20 s, rounded up");
    assert_eq!((&pod["automountServiceAccountToken"], &pod["enableServiceLinks"]), (&json!(false), &json!(false)));
    assert_eq!(built("")["ServiceAccount edge"]["automountServiceAccountToken"], json!(false));
}

#[test]
fn workspaces_are_mounted_and_passed_to_the_data_plane() {
    let more = "dataPlane: {workspaces: [{name: code, persistentVolumeClaim: {claimName: c}}, {name: docs, persistentVolumeClaim: {claimName: d}}]}";
    let pod = pod(more);
    let container = &pod["containers"][0];
    let roots = container["env"].as_array().expect("variables").iter().find(|v| v["name"] == "ROUTING_WORKSPACE_ROOTS");
    assert_eq!(roots.map(|v| v["value"].clone()), Some(json!("/workspaces/code:/workspaces/docs")));
    assert_eq!(
        container["volumeMounts"][1],
        json!({"name": "workspace-code", "mountPath": "/workspaces/code", "readOnly": true})
    );
    assert_eq!(pod["volumes"][2]["persistentVolumeClaim"], json!({"claimName": "d", "readOnly": true}));
}

#[test]
fn only_several_pods_have_a_budget() {
    for (replicas, there) in [(0, false), (1, false), (2, true)] {
        let children = built(&format!("dataPlane: {{replicas: {replicas}}}"));
        assert_eq!(children.contains_key("PodDisruptionBudget edge"), there, "{replicas}");
    }
}

fn called_ports(children: &BTreeMap<String, Value>) -> Vec<u64> {
    let rule = &children["NetworkPolicy edge"]["spec"]["egress"][1];
    assert_eq!(rule.get("to"), None, "they can have any address");
    rule["ports"].as_array().expect("ports").iter().map(|port| port["port"].as_u64().expect("a number")).collect()
}

#[test]
fn the_network_policy_allows_the_ports_of_models_and_brain() {
    for (more, ports) in [
        ("", vec![4000]),
        ("brain: {url: \"https://brain\"}", vec![443, 4000]),
        ("brain: {url: \"http://brain:3300\"}", vec![3300, 4000]),
        ("dataPlane: {telemetry: {url: \"http://collector:4318\"}}", vec![4000, 4318]),
    ] {
        assert_eq!(called_ports(&built(more)), ports, "{more}");
    }
    let mut own_upstream = policy("");
    own_upstream.spec.models.claude.upstream = serde_saphyr::from_str("url: http://claude").expect("an upstream");
    let valid = validate(&own_upstream, &[], &Texts::new(), &[]).expect("it is valid");
    let built_policy = network_policy::network_policy(&own_upstream, &[&valid.table], "operators");
    let children = [("NetworkPolicy edge".to_string(), serde_json::to_value(built_policy).expect("JSON"))].into();
    assert_eq!(called_ports(&children), [80, 4000], "a model's own upstream");
    let mut own_grader = policy("");
    own_grader.spec.models.grader =
        Some(serde_saphyr::from_str("{name: judge, upstream: {url: http://judge:8001}}").expect("a model"));
    let valid = validate(&own_grader, &[], &Texts::new(), &[]).expect("it is valid");
    let built_policy = network_policy::network_policy(&own_grader, &[&valid.table], "operators");
    let children = [("NetworkPolicy edge".to_string(), serde_json::to_value(built_policy).expect("JSON"))].into();
    assert_eq!(called_ports(&children), [4000, 8001], "that of the model that judges");
    let mut caller = policy("skills: [{name: debug}]");
    caller.spec.models =
        serde_saphyr::from_str("{local: {name: l, upstream: {url: http://gpu:8000}}, claude: {returnToCaller: {}}}")
            .expect("models");
    let valid = validate(&caller, &[], &Texts::new(), &[]).expect("it is valid");
    let built_policy = network_policy::network_policy(&caller, &[&valid.table], "operators");
    let children = [("NetworkPolicy edge".to_string(), serde_json::to_value(built_policy).expect("JSON"))].into();
    assert_eq!(called_ports(&children), [8000], "the caller has no endpoint");
    let children = built("");
    let spec = &children["NetworkPolicy edge"]["spec"];
    assert_eq!(spec["ingress"][0], json!({"ports": [{"port": 3210, "protocol": "TCP"}]}), "callers from anywhere");
    assert_eq!(spec["ingress"][1]["ports"][0]["port"], json!(3211));
    assert_eq!(spec["ingress"][2]["ports"][0]["port"], json!(3211));
    let monitoring = &spec["ingress"][2]["from"][0]["namespaceSelector"]["matchLabels"];
    assert_eq!(*monitoring, json!({"routing.hyperguild.io/monitoring": "true"}));
    let namespace = &spec["ingress"][1]["from"][0]["namespaceSelector"]["matchLabels"];
    assert_eq!(*namespace, json!({"kubernetes.io/metadata.name": "operators"}));
    assert_eq!(
        spec["ingress"][1]["from"][0]["podSelector"]["matchLabels"],
        json!({"app.kubernetes.io/name": "routing-operator"})
    );
}

/// Pods run it until they have the new one, and while they refuse the new one.
#[test]
fn the_ports_of_the_last_good_config_stay_open() {
    let rendered = |more: &str| validate(&policy(more), &[], &Texts::new(), &[]).expect(more).rendered.text;
    let (old, new) = ("brain: {url: \"http://brain:3300\"}", "brain: {url: \"http://brain:3301\"}");
    assert_eq!(called_ports(&built_after(Some(rendered(old)), new)), [3300, 3301, 4000]);
    assert_eq!(called_ports(&built_after(Some(rendered(new)), new)), [3301, 4000], "all pods run the new one");
    assert_eq!(called_ports(&built_after(Some("of another version".into()), new)), [3301, 4000]);
}

#[test]
fn pod_labels_and_spread_constraints_keep_the_selector_of_the_policys_pods() {
    let children = built(
        "dataPlane: {podLabels: {team: blue}, topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}",
    );
    let template = &children["Deployment edge"]["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["app"], &labels["app.kubernetes.io/instance"]),
        (&json!("blue"), &json!("edge"), &json!("edge"))
    );
    let selector = &template["spec"]["topologySpreadConstraints"][0]["labelSelector"];
    assert_eq!(*selector, children["Deployment edge"]["spec"]["selector"], "spread among this policy's pods");
}

#[test]
fn the_last_good_config_is_the_one_that_all_pods_ran() {
    let hash = |text: &str| Document::parse(text).expect("a policy").hash;
    let text = |floor: &str| {
        validate(&policy(&format!("thresholds: {{floor: \"{floor}\", ceil: \"0.1\"}}")), &[], &Texts::new(), &[])
            .expect("valid")
            .rendered
            .text
    };
    let (old, new) = (text("0.2"), text("0.3"));
    let config_map = |kept: Option<&str>| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"policy.yaml": new, "last-good.yaml": kept}});
        BTreeMap::from([(
            ChildKey::new(ChildKind::ConfigMap, "edge"),
            serde_json::from_value::<DynamicObject>(object).expect("an object"),
        )])
    };
    let status = |hash: String, programmed: &str, pods: u32| -> RoutingPolicyStatus {
        serde_json::from_value(json!({"configHash": hash, "replicas": {"programmed": pods}, "conditions": [{"type": "Programmed", "status": programmed, "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})).expect("a status")
    };
    let good = |kept: Option<&str>, status: Option<RoutingPolicyStatus>| last_good(&config_map(kept), status.as_ref());
    assert_eq!(good(Some(&old), Some(status(hash(&new), "True", 2))), Some(new.clone()), "all run the newest");
    assert_eq!(good(Some(&old), Some(status(hash(&new), "False", 1))), Some(old.clone()), "not all do");
    assert_eq!(good(Some(&old), Some(status(hash(&new), "True", 0))), Some(old.clone()), "no pod ran it");
    assert_eq!(good(Some(&old), Some(status(hash(&old), "True", 2))), Some(old.clone()), "they run another config");
    assert_eq!(good(None, None), None);
    assert_eq!(last_good(&BTreeMap::new(), None), None);
}
