//! The plain manifests of `contract` part 8, as kubectl builds them. `tests/e2e` shows that they run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{checkout, manifests::built, memory};

fn container(objects: &BTreeMap<String, Value>) -> Value {
    objects["Deployment routing"]["spec"]["template"]["spec"]["containers"][0].clone()
}

fn variables(objects: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let container = container(objects);
    let text = |value: &Value| value.as_str().expect("text").to_string();
    container["env"].as_array().expect("variables").iter().map(|v| (text(&v["name"]), text(&v["value"]))).collect()
}

#[test]
fn contract_8_one_kustomization_of_the_named_files() {
    let files = std::fs::read_to_string(checkout().join("deploy/standalone/kustomization.yaml")).expect("the file");
    let files: Value = serde_saphyr::from_str(&files).expect("YAML");
    let named = ["namespace.yaml", "deployment.yaml", "service.yaml", "nodeport.yaml", "secrets.enc.yaml"];
    assert_eq!(files["resources"], json!(named));
    let expected = [
        "Deployment routing",
        "Namespace routing",
        "Secret routing-secrets",
        "Service routing",
        "Service routing-nodeport",
    ];
    assert_eq!(built("standalone").into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn contract_8_deployment() {
    let objects = built("standalone");
    let deployment = &objects["Deployment routing"];
    let (spec, pod) = (&deployment["spec"], &deployment["spec"]["template"]["spec"]);
    assert_eq!(deployment["metadata"]["namespace"], json!("routing"));
    assert_eq!((&spec["replicas"], &spec["selector"]["matchLabels"]), (&json!(1), &json!({"app": "routing"})));
    assert_eq!(spec["template"]["metadata"]["labels"], json!({"app": "routing"}));
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/hostname": "koala"}));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "gitea-registry"}]));
    assert_eq!(pod["enableServiceLinks"], json!(false), "otherwise ROUTING_PORT would be tcp://…");
    let container = container(&objects);
    let image = container["image"].as_str().expect("an image");
    assert!(image.strip_prefix("gitea.d-ma.be/mathias/routing:").is_some_and(|tag| !tag.is_empty()), "{image}");
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "routing-secrets"}}]));
    let probe = json!({"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 2, "periodSeconds": 10});
    assert_eq!(container["readinessProbe"], probe);
    assert_eq!(container["ports"][0]["containerPort"], json!(3210));
}

/// The variables of part 1 with their defaults, except those of the Secret and of the image.
#[test]
fn contract_8_variables_are_those_of_part_1_with_their_defaults() {
    let expected = [
        ("ROUTING_PORT", "3210"),
        ("LITELLM_BASE_URL", "http://piguard:4000"),
        ("BRAIN_URL", "http://ingestion.supervisor:3300"),
        ("HYPERGUILD_LOCAL_MODEL", "qwen35"),
        ("HYPERGUILD_CLAUDE_MODEL", "claude-sonnet-4-6"),
        ("HYPERGUILD_ROUTE_LOCAL_FLOOR", "0.90"),
        ("HYPERGUILD_ROUTE_LOCAL_CEIL", "0.70"),
        ("HYPERGUILD_PASS_RATE_TTL_SECONDS", "60"),
    ];
    let expected = expected.map(|(name, value)| (name.to_string(), value.to_string()));
    assert_eq!(variables(&built("standalone")), BTreeMap::from(expected));
}

#[test]
fn contract_8_services() {
    let objects = built("standalone");
    let service = &objects["Service routing"]["spec"];
    assert_eq!((&service["selector"], &service["ports"][0]["port"]), (&json!({"app": "routing"}), &json!(3210)));
    let exposed = &objects["Service routing-nodeport"]["spec"];
    assert_eq!((&exposed["type"], &exposed["selector"]), (&json!("NodePort"), &json!({"app": "routing"})));
    let port = &exposed["ports"][0];
    assert_eq!((&port["nodePort"], &port["port"], &port["targetPort"]), (&json!(30310), &json!(3210), &json!("http")));
}

#[test]
fn contract_8_secret_is_encrypted_value_by_value() {
    let secret = &built("standalone")["Secret routing-secrets"];
    let values = secret["stringData"].as_object().expect("values");
    let names: BTreeSet<&str> = values.keys().map(String::as_str).collect();
    assert_eq!(names, ["LITELLM_API_KEY", "ROUTING_MCP_TOKEN"].into());
    assert!(values.values().all(|value| value.as_str().is_some_and(|text| text.starts_with("ENC[AES256_GCM,"))));
    assert_eq!(secret["sops"]["encrypted_regex"], json!("^(stringData|data)$"));
    assert!(secret["sops"]["age"][0]["recipient"].as_str().is_some_and(|recipient| recipient.starts_with("age1")));
}

#[test]
fn contract_8_an_overlay_changes_host_registry_pull_secret_and_secret() {
    let objects = built("standalone-example");
    let all = serde_json::to_string(&objects).expect("JSON");
    for of_the_first_owner in ["koala", "gitea", "ENC["] {
        assert!(!all.contains(of_the_first_owner), "{of_the_first_owner}");
    }
    assert!(objects.contains_key("Secret routing-secrets"), "under the name that the Deployment refers to");
    assert_eq!(variables(&objects)["ROUTING_PORT"], "3210");
}

#[test]
fn the_tests_bound_memory_as_the_manifests_do() {
    let limit = |folder: &str, deployment: &str| {
        let pod = built(folder)[deployment]["spec"]["template"]["spec"].clone();
        pod["containers"][0]["resources"]["limits"]["memory"].clone()
    };
    assert_eq!(limit("standalone", "Deployment routing"), format!("{}Mi", memory::DATA_PLANE_MIB));
    assert_eq!(limit("operator", "Deployment routing-operator"), format!("{}Mi", memory::OPERATOR_MIB));
}
