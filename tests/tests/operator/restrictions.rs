//! What the operator's administrator allows policies to name, by the operator's settings.

use serde_json::{Value, json};
use tests::{
    cluster::deploy,
    control_plane::ControlPlane,
    operator::{Operator, user},
    policies::{Policies, condition, spec},
    waiting,
};

const LABEL: &str = "routing.hyperguild.io/for-policies=true";
const ALLOWED: &str = "--allowed-images=ghcr.io/org/*";

/// The operator with both restrictions on a control plane of its own.
async fn restricted() -> (&'static ControlPlane, Operator) {
    let plane = ControlPlane::own().await;
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let operator = Operator::start(plane, "operator", &[ALLOWED, &format!("--secret-label={LABEL}")]).await;
    operator.wait_until("watching").await;
    (plane, operator)
}

fn with_key(secret: &str) -> Value {
    spec(json!({"upstream": {"apiKeySecretRef": {"name": secret, "key": "K"}}}))
}

async fn image(policies: &Policies) -> Value {
    let deployment = waiting::until("the Deployment", || policies.object("Deployment", "edge")).await;
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

async fn refusal(policies: &Policies, name: &str) -> String {
    policies.wait_for_condition(name, "Accepted", "False", "Invalid").await.message
}

#[tokio::test]
async fn an_image_that_is_not_allowed_is_refused_and_what_ran_keeps_running() {
    let (plane, _operator) = restricted().await;
    let policies = Policies::in_new_namespace(plane, "images").await;
    let with_image = |image: &str| spec(json!({"dataPlane": {"image": image}}));
    policies.apply("edge", &with_image("ghcr.io/org/routing:1"));
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
    assert_eq!(image(&policies).await, "ghcr.io/org/routing:1");
    for evil in ["ghcr.io/org-evil/routing:1", "evil.example/ghcr.io/org/routing:1", "routing:5000/x"] {
        policies.apply("edge", &with_image(evil));
        let message = refusal(&policies, "edge").await;
        let expected = format!("spec.dataPlane.image: {evil}: the operator allows only ghcr.io/org/*; use one of them");
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(image(&policies).await, "ghcr.io/org/routing:1");
    }
    // The operator's own image needs no entry.
    policies.apply("edge", &spec(json!({})));
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
    assert_eq!(image(&policies).await, "routing:0.1.0");
}

#[tokio::test]
async fn a_policy_names_only_secrets_with_the_label_and_the_operator_reads_only_their_metadata() {
    let (plane, operator) = restricted().await;
    let policies = Policies::in_new_namespace(plane, "labels").await;
    // Without the right, the refusal names it.
    policies.apply("edge", &with_key("theirs"));
    let message = refusal(&policies, "edge").await;
    assert!(message.contains("apply deploy/operator-secret-label"), "{message}");

    let rights = format!("{}/rbac.yaml", deploy("operator-secret-label"));
    plane.kubectl(&["apply", "--filename", &rights]).expect_worked();
    policies.kubectl(&["create", "secret", "generic", "theirs", "--from-literal=K=canary-theirs"]);
    policies.kubectl(&["create", "secret", "generic", "ours", "--from-literal=K=canary-ours"]);
    policies.kubectl(&["label", "secret", "ours", LABEL]);
    policies.apply("edge", &with_key("ours"));
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
    let mounted = || async { policies.object("Deployment", "edge").await.unwrap_or_default().to_string() };
    waiting::until_true("the Deployment", || async { mounted().await.contains("secrets/ours/K") }).await;

    for (secret, expected) in [
        (
            "theirs",
            format!("theirs: the Secret needs the label {LABEL} before a policy may name it; add it, or name another"),
        ),
        ("later", format!("later: there is no such Secret; create it with the label {LABEL}")),
    ] {
        policies.apply("edge", &with_key(secret));
        let message = refusal(&policies, "edge").await;
        assert!(message.starts_with(&format!("spec.upstream.apiKeySecretRef.name: {expected}")), "{message}");
        assert!(mounted().await.contains("secrets/ours/K") && !mounted().await.contains(secret), "{secret}");
    }
    // Once it has the label, the policy is accepted by itself.
    policies.kubectl(&["create", "secret", "generic", "later", "--from-literal=K=canary-later"]);
    policies.kubectl(&["label", "secret", "later", LABEL]);
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
    let status = policies.get("edge").await.status.expect("a status");
    assert!(condition(&status, "Stalled").is_none());

    let everything = policies.kubectl(&["get", "rp,events,configmaps,deployments", "--output", "json"]);
    assert!(!everything.contains("canary-") && !operator.log().contains("canary-"), "no secret is shown");
    let audit = plane.audit();
    let of_secrets: Vec<&Value> = audit.iter().filter(|entry| entry["objectRef"]["resource"] == "secrets").collect();
    assert!(of_secrets.len() > 3 && of_secrets.iter().all(|entry| entry["verb"] == "get"), "{of_secrets:?}");
}

#[tokio::test]
async fn without_the_settings_the_manifests_have_no_right_to_secrets_and_the_component_has_both() {
    let plane = ControlPlane::shared().await;
    let _ = Operator::shared().await;
    let account = user();
    let may = plane.kubectl(&["auth", "can-i", "get", "secrets", "--all-namespaces", "--as", &account]);
    assert!(!may.worked && may.out.trim() == "no", "{may:?}");
    let folder = tempfile::tempdir_in(deploy("")).expect("a folder");
    let text = "resources: [../operator]\ncomponents: [../operator-secret-label]\n";
    std::fs::write(folder.path().join("kustomization.yaml"), text).expect("written");
    let built = plane.kubectl(&["kustomize", &folder.path().display().to_string()]).expect_worked();
    assert!(built.contains("name: ROUTING_SECRET_LABEL") && built.contains(LABEL), "{built}");
    assert!(built.contains("name: routing-operator-secret-label"), "{built}");
}
