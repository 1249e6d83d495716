use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::tests::{built, policy};
use crate::controller::{dereference::Texts, validate::validate};

const TOKEN: &str = "tokenSecretRef: {name: s, key: K}";
const POSTGRES: &str = "databaseURLSecretRef: {name: d, key: U}";

fn managed(more: &str) -> BTreeMap<String, Value> {
    built(&format!("brain: {{managed: {{{TOKEN}, {more}}}}}"))
}

fn pod_of<'a>(children: &'a BTreeMap<String, Value>, workload: &str) -> &'a Value {
    &children[workload]["spec"]["template"]["spec"]
}

#[test]
fn a_managed_brain_has_children_of_its_own_that_belong_to_the_policy() {
    for (more, workload) in [("", "StatefulSet edge-brain"), (POSTGRES, "Deployment edge-brain")] {
        let children = managed(more);
        let brain: Vec<&String> = children.keys().filter(|name| name.ends_with("-brain")).collect();
        let mut expected = ["NetworkPolicy edge-brain", "Service edge-brain", "ServiceAccount edge-brain", workload];
        expected.sort_unstable();
        assert_eq!(brain, expected.iter().collect::<Vec<_>>(), "{more}");
        for name in brain {
            let metadata = &children[name]["metadata"];
            let labels = json!({"app.kubernetes.io/name": "routing-brain", "app.kubernetes.io/instance": "edge", "app.kubernetes.io/managed-by": "routing-operator"});
            assert_eq!((&metadata["labels"], &metadata["namespace"]), (&labels, &json!("house")), "{name}");
            assert_eq!(metadata["ownerReferences"][0]["uid"], json!("u1"), "{name}");
        }
        assert_eq!(children.len(), built("").len() + 4, "the data plane's children beside it");
    }
    assert_eq!(built("brain: {url: \"http://b\"}").len(), built("").len());
    let set = &managed("")["StatefulSet edge-brain"];
    insta::assert_snapshot!("stateful_set", serde_saphyr::to_string(set).expect("YAML"));
}

/// What selects one of the two must never find pods of the other: callers would reach the brain, reports the data plane.
#[test]
fn nothing_that_selects_the_data_planes_pods_finds_the_brains_nor_the_other_way_round() {
    let children = managed("");
    let selected = |selector: &Value, labels: &Value| {
        selector.as_object().expect("labels").iter().all(|(name, value)| labels.get(name) == Some(value))
    };
    let labels = |workload: &str| &children[workload]["spec"]["template"]["metadata"]["labels"];
    let (brain, data_plane) = (labels("StatefulSet edge-brain"), labels("Deployment edge"));
    for (selector, finds_brain) in [
        (&children["Service edge"]["spec"]["selector"], false),
        (&children["Service edge-nodeport"]["spec"]["selector"], false),
        (&children["NetworkPolicy edge"]["spec"]["podSelector"]["matchLabels"], false),
        (&children["Deployment edge"]["spec"]["selector"]["matchLabels"], false),
        (&children["Service edge-brain"]["spec"]["selector"], true),
        (&children["NetworkPolicy edge-brain"]["spec"]["podSelector"]["matchLabels"], true),
        (&children["StatefulSet edge-brain"]["spec"]["selector"]["matchLabels"], true),
    ] {
        assert_eq!((selected(selector, brain), selected(selector, data_plane)), (finds_brain, !finds_brain));
    }
}

#[test]
fn the_data_plane_gets_the_address_and_the_token_and_no_other_change_reaches_its_pods() {
    let config =
        |more: &str| managed(more)["ConfigMap edge"]["data"]["policy.yaml"].as_str().expect("text").to_string();
    let plain = config("");
    let address = "http://edge-brain.house.svc:3300";
    assert!(plain.contains(address) && plain.contains("tokenSecretRef") && !plain.contains("managed"), "{plain}");
    for more in ["storage: 9Gi", "nodePort: 30330", "reclaim: Delete", "replicas: 0", "resources: {}", POSTGRES] {
        assert_eq!(config(more), plain, "{more}");
    }
    let children = managed(POSTGRES);
    let sources = pod_of(&children, "Deployment edge")["volumes"][0]["projected"]["sources"].to_string();
    assert!(sources.contains("secrets/s/K") && !sources.contains("secrets/d/U"), "not the database's: {sources}");
}

#[test]
fn the_claim_is_as_the_policy_says_and_outlives_it_unless_that_says_otherwise() {
    let set = |more: &str| managed(more)["StatefulSet edge-brain"]["spec"].clone();
    let claim = |more: &str| set(more)["volumeClaimTemplates"][0]["spec"].clone();
    let size = |storage: &str| json!({"requests": {"storage": storage}});
    assert_eq!(claim(""), json!({"accessModes": ["ReadWriteOnce"], "resources": size("1Gi")}));
    let large = claim("storage: 5Gi, storageClassName: fast");
    assert_eq!((&large["resources"], &large["storageClassName"]), (&size("5Gi"), &json!("fast")));
    for (more, deleted) in [("", "Retain"), ("reclaim: Delete", "Delete")] {
        let expected = json!({"whenDeleted": deleted, "whenScaled": "Retain"});
        assert_eq!(set(more)["persistentVolumeClaimRetentionPolicy"], expected, "{more}");
    }
    assert_eq!((&set("replicas: 0")["replicas"], &set("")["replicas"]), (&json!(0), &json!(1)));
}

#[test]
fn on_postgres_it_has_replicas_a_budget_and_no_volume() {
    let children = managed(&format!("replicas: 3, {POSTGRES}"));
    assert_eq!(children["Deployment edge-brain"]["spec"]["replicas"], json!(3));
    assert!(children.contains_key("PodDisruptionBudget edge-brain"));
    assert!(!managed(POSTGRES).contains_key("PodDisruptionBudget edge-brain"), "one pod: a budget would block drains");
    let pod = pod_of(&children, "Deployment edge-brain");
    assert_eq!((pod.get("volumes"), pod["containers"][0].get("volumeMounts")), (None, None));
    let variables = pod["containers"][0]["env"].as_array().expect("variables");
    let url = variables.iter().find(|variable| variable["name"] == "BRAIN_DATABASE_URL").expect("a URL");
    assert_eq!(*url, json!({"name": "BRAIN_DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "d", "key": "U"}}}));
}

#[test]
fn it_runs_the_data_planes_image_on_its_nodes_with_resources_of_its_own() {
    let more = "dataPlane: {image: \"other:2\", imagePullSecrets: [{name: r}], nodeSelector: {disk: ssd}, tolerations: [{key: edge}], resources: {limits: {memory: 1Gi}}}";
    let children = built(&format!("brain: {{managed: {{{TOKEN}}}}}\n{more}"));
    let pod = pod_of(&children, "StatefulSet edge-brain");
    assert_eq!(pod["containers"][0]["image"], json!("other:2"));
    assert_eq!((&pod["imagePullSecrets"][0]["name"], &pod["nodeSelector"]), (&json!("r"), &json!({"disk": "ssd"})));
    assert_eq!(pod["tolerations"][0]["key"], json!("edge"));
    assert_eq!(pod["containers"][0]["resources"]["limits"]["memory"], json!("256Mi"));
    let own = managed("resources: {limits: {memory: 2Gi}}");
    let resources = &pod_of(&own, "StatefulSet edge-brain")["containers"][0]["resources"];
    assert_eq!(*resources, json!({"limits": {"memory": "2Gi"}}));
}

#[test]
fn a_node_port_opens_it_to_callers_outside() {
    let service = |more: &str| managed(more)["Service edge-brain"]["spec"].clone();
    let port = json!({"name": "http", "port": 3300, "protocol": "TCP", "targetPort": "http", "nodePort": 30330});
    let open = service("nodePort: 30330");
    assert_eq!((&open["type"], &open["ports"][0]), (&json!("NodePort"), &port));
    assert_eq!(service("")["type"], json!("ClusterIP"));
    let callers = |more: &str| managed(more)["NetworkPolicy edge-brain"]["spec"]["ingress"][0]["from"].clone();
    assert_eq!((callers("nodePort: 30330"), callers("")), (Value::Null, json!([{"podSelector": {}}])));
}

#[test]
fn monitoring_may_read_its_metrics() {
    let rule = managed("")["NetworkPolicy edge-brain"]["spec"]["ingress"][1].clone();
    let namespace = json!({"matchLabels": {"routing.hyperguild.io/monitoring": "true"}});
    assert_eq!(rule["from"], json!([{"namespaceSelector": namespace}]), "whole namespaces with the label");
    assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 3300}]));
}

#[test]
fn it_reports_to_the_policys_collector_and_reaches_it() {
    let children = |more: &str| {
        built(&format!("brain: {{managed: {{{TOKEN}, {more}}}}}\ndataPlane: {{telemetry: {{url: \"http://c:4318\"}}}}"))
    };
    let (sqlite, postgres) = (children(""), children(POSTGRES));
    let variables = pod_of(&sqlite, "StatefulSet edge-brain")["containers"][0]["env"].as_array().expect("some").clone();
    let value = |name: &str| variables.iter().find(|variable| variable["name"] == name).map(|v| v["value"].clone());
    assert_eq!(value("OTEL_EXPORTER_OTLP_ENDPOINT"), Some(json!("http://c:4318")));
    let attributes = value("OTEL_RESOURCE_ATTRIBUTES").expect("attributes").to_string();
    assert!(attributes.contains("routing.policy=edge") && !attributes.contains("service.name"), "{attributes}");
    let out = |children: &BTreeMap<String, Value>| {
        let rules = children["NetworkPolicy edge-brain"]["spec"]["egress"].clone();
        let ports =
            |rule: usize| rules[rule]["ports"].as_array().into_iter().flatten().map(|p| p["port"].clone()).collect();
        let all: [Vec<Value>; 2] = [ports(0), ports(1)];
        all.concat()
    };
    assert_eq!(out(&sqlite), [53, 53, 4318]);
    assert_eq!(out(&postgres), [53, 53, 4318, 5432]);
    assert_eq!(out(&managed("")), Vec::<Value>::new(), "nothing without them");
}

#[test]
fn a_wrong_managed_brain_is_refused_with_everything_else_that_is_wrong() {
    let policy = policy("brain: {managed: {tokenSecretRef: {name: s, key: K}, replicas: 2}}\nlimits: {inFlight: 0}");
    let invalid = validate(&policy, &[], &Texts::new(), &[]).expect_err("invalid");
    for part in ["spec.brain.managed.replicas: 2: above 1 needs databaseURLSecretRef", "spec.limits.inFlight: 0"] {
        assert!(invalid.message.contains(part), "{}", invalid.message);
    }
}
