//! From a checkout to pods that run it, by the delivery's own scripts.

use serde_json::{Value, json};
use tests::waiting;

use super::{
    GitOps, POLICY_NAME, TOKEN, flux, operator_version,
    pipeline::{self, Of, Pushed},
    routed,
    site::site,
};
use crate::{pods, routing_policy::NAME, setup::cluster};

/// Checks that the operator runs the pushed image, and uses the other one for data planes.
fn operator_runs(pushed: &Pushed) {
    let get = ["--namespace", "routing-system", "get", "deployment", "routing-operator", "--output=json"];
    let operator: Value = serde_json::from_str(&cluster().kubectl(&get).expect_worked()).expect("JSON");
    let container = &operator["spec"]["template"]["spec"]["containers"][0];
    let reference = pushed.reference("routing-operator");
    assert!(reference.contains(&format!(":{}@sha256:", pushed.version)), "{reference}");
    assert_eq!(container["image"], json!(reference));
    let variables = container["env"].as_array().expect("variables");
    let image = variables.iter().find(|variable| variable["name"] == json!("ROUTING_IMAGE"));
    assert_eq!(image.expect("the data planes' image")["value"], json!(pushed.reference("routing")));
    assert_eq!(operator_version(), pushed.version);
}

#[tokio::test]
async fn a_delivered_version_is_rolled_out_and_the_pods_report_it() {
    let Some(gitops) = GitOps::begin("delivery").await else { return };
    let site = site().await;
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let pushed = pipeline::pushed(site, Of::Checkout).await;
    let version = &pushed.version;
    println!("delivered: {version}");
    assert_ne!(version, env!("CARGO_PKG_VERSION"));
    pushed.release(site, &gitops.repository);
    let changed = gitops.repository.git(&["show", "--format=%s", "--name-only", "HEAD"]);
    let one_commit = format!("Release routing {version}\n\nrouting/release/images/kustomization.yaml");
    assert_eq!(changed.trim(), one_commit);
    flux::applied("routing-policies", &gitops.repository.revision()).await;
    operator_runs(pushed);

    // Flux may be ready a moment before the new operator has started to replace the pods.
    waiting::until_true("new pods alone", || async {
        let now = pods::generation(&gitops.policies, POLICY_NAME).await;
        !now.is_empty() && now.keys().all(|pod| !before.contains_key(pod))
    })
    .await;
    gitops.policies.wait_until_ready(POLICY_NAME).await;
    for tunnel in pods::tunnels(&gitops.policies, POLICY_NAME).await {
        assert_eq!(tunnel.status().await["version"], json!(version));
    }
    let deployment = format!("deployment/{POLICY_NAME}");
    let shown = ["--namespace", NAME, "exec", &deployment, "--", "/usr/local/bin/routing", "--version"];
    assert_eq!(cluster().kubectl(&shown).expect_worked().trim(), format!("routing {version}"));
    routed(TOKEN).await;
}
