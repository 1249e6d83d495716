//! The brain's manifests on a real API server. `tests/e2e` shows that the brain runs.

use serde_json::Value;
use tests::{cluster::deploy, control_plane::ControlPlane, manifests::built, waiting};

const CREATE_TOKEN: [&str; 6] = ["--namespace", "supervisor", "create", "secret", "generic", "brain-token"];

/// Applies the manifests, as an owner may do repeatedly.
fn apply(plane: &ControlPlane) {
    plane.kubectl(&["apply", "--kustomize", &deploy("brain")]).expect_worked();
}

fn create_token(plane: &ControlPlane, token: &str) -> bool {
    plane.kubectl(&[&CREATE_TOKEN[..], &[&format!("--from-literal=BRAIN_TOKEN={token}")]].concat()).worked
}

#[tokio::test]
async fn the_brain_is_applied_again_without_touching_its_token() {
    let plane = ControlPlane::shared().await;
    apply(plane);
    let pods = ["--namespace", "supervisor", "get", "pods", "--selector=app.kubernetes.io/name=brain", "--output=name"];
    waiting::until_true("a pod, which its namespace admits only if it meets the restricted standard", || async {
        plane.kubectl(&pods).expect_worked().starts_with("pod/")
    })
    .await;
    plane.kubectl(&["apply", "--filename", &deploy("brain/files.yaml")]).expect_worked();
    assert!(create_token(plane, "mine"));
    apply(plane);
    assert!(!create_token(plane, "another"), "the documented command does not replace it, either");
    let kept = ["--namespace", "supervisor", "get", "secret", "brain-token", "--output=jsonpath={.data.BRAIN_TOKEN}"];
    assert_eq!(plane.kubectl(&kept).expect_worked(), "bWluZQ==", "mine");
}

#[test]
fn the_brain_has_no_token_in_its_manifests_and_does_not_start_without_one() {
    let objects = built("brain");
    assert!(!objects.keys().any(|name| name.starts_with("Secret ")), "{:?}", objects.keys());
    let variables = objects["Deployment brain"]["spec"]["template"]["spec"]["containers"][0]["env"].as_array();
    let token = variables.into_iter().flatten().find(|variable| variable["name"] == "BRAIN_TOKEN").expect("a token");
    let reference = &token["valueFrom"]["secretKeyRef"];
    assert_eq!((&reference["name"], &reference["optional"]), (&Value::from("brain-token"), &Value::Null));
}

/// The data plane's default address, and the documented port of clients.
#[test]
fn the_brain_is_at_the_address_that_its_clients_use() {
    let objects = built("brain");
    let service = &objects["Service ingestion"];
    assert_eq!(
        (&service["metadata"]["namespace"], &service["spec"]["ports"][0]["port"]),
        (&"supervisor".into(), &3300.into())
    );
    assert_eq!(objects["Service brain-nodeport"]["spec"]["ports"][0]["nodePort"], 30330);
}

/// Fields of a pod that say where it runs and what it is called, and those that the API server sets by default.
fn comparable(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let fields = pod.as_object_mut().expect("a pod");
    for field in ["serviceAccountName", "volumes"] {
        fields.remove(field);
    }
    let container = pod["containers"][0].as_object_mut().expect("a container");
    container.remove("image");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        container[probe] = container[probe]["httpGet"].clone();
    }
    for port in container["ports"].as_array_mut().into_iter().flatten() {
        port.as_object_mut().expect("a port").remove("protocol");
    }
    // Names alone: the Secret of the token is another one.
    let variables = container["env"].as_array().into_iter().flatten();
    let variables = variables.filter(|variable| variable["name"] != "BRAIN_ALLOWED_HOSTS");
    container["env"] = variables.map(|variable| serde_json::json!([variable["name"], variable["value"]])).collect();
    pod
}

/// The two ways to run a brain are one shape.
#[test]
fn a_managed_brain_runs_as_the_manifests_do() {
    let text = "upstream: {url: \"http://a\"}\nmodels: {local: {name: l}, claude: {name: c}}\n\
        brain: {managed: {tokenSecretRef: {name: s, key: K}}}";
    let policy = crds::RoutingPolicy::new("edge", serde_saphyr::from_str(text).expect("a spec"));
    let managed = operator::controller::build::brain::managed(&policy).expect("it is managed");
    let pod = operator::controller::build::brain::pod::pod_spec(&policy, managed, "routing");
    let pod = serde_json::to_value(pod).expect("JSON");
    let manifest = &built("brain")["Deployment brain"]["spec"]["template"]["spec"];
    assert_eq!(comparable(&pod), comparable(manifest));
}
