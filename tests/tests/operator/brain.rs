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
