//! From a checkout to pods that run it, by the delivery's own scripts.

use serde_json::json;
use tests::waiting;

use super::{GitOps, POLICY_NAME, TOKEN, flux, pipeline, routed, site::site};
use crate::{pods, routing_policy::NAME, setup::cluster};

#[tokio::test]
async fn a_delivered_version_is_rolled_out_and_the_pods_report_it() {
    let Some(gitops) = GitOps::begin("delivery").await else { return };
    let site = site().await;
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let version = pipeline::deliver(site, &gitops.repository, false);
    println!("delivered: {version}");
    assert_ne!(version, env!("CARGO_PKG_VERSION"));
    let changed = gitops.repository.git(&["show", "--format=%s", "--name-only", "HEAD"]);
    assert_eq!(
        changed.trim(),
        format!("Release routing {version}\n\nrouting/release/images/kustomization.yaml"),
        "one commit"
    );
    let revision = gitops.repository.revision();
    flux::applied("routing-policies", &revision).await;

    let operator = cluster()
        .kubectl(&["--namespace", "routing-system", "get", "deployment", "routing-operator", "--output=json"])
        .expect_worked();
    let operator: serde_json::Value = serde_json::from_str(&operator).expect("JSON");
    let container = &operator["spec"]["template"]["spec"]["containers"][0];
    let tag = format!(":{}", version.replace('+', "_"));
    assert_eq!(container["image"], json!(pipeline::reference(site, "routing-operator")));
    assert!(
        container["image"].as_str().is_some_and(|image| image.contains(&tag) && image.contains("@sha256:")),
        "{container}"
    );
    let image = container["env"].as_array().expect("variables").iter().find(|v| v["name"] == json!("ROUTING_IMAGE"));
    assert_eq!(image.expect("the data planes' image")["value"], json!(pipeline::reference(site, "routing")));

    // The operator replaces the pods; Flux says Ready when the policy is.
    waiting::until("new pods alone", || async {
        let now = pods::generation(&gitops.policies, POLICY_NAME).await;
        (!now.is_empty() && now.keys().all(|pod| !before.contains_key(pod))).then_some(())
    })
    .await;
    gitops.policies.wait_until_ready(POLICY_NAME).await;
    for tunnel in pods::tunnels(&gitops.policies, POLICY_NAME).await {
        assert_eq!(tunnel.status().await["version"], json!(version));
    }
    let deployment = format!("deployment/{POLICY_NAME}");
    let shown = ["--namespace", NAME, "exec", &deployment, "--", "/usr/local/bin/routing", "--version"];
    assert_eq!(cluster().kubectl(&shown).expect_worked().trim(), format!("routing {version}"));
    let shown = [
        "--namespace",
        "routing-system",
        "exec",
        "deployment/routing-operator",
        "--",
        "/usr/local/bin/routing-operator",
        "--version",
    ];
    assert_eq!(cluster().kubectl(&shown).expect_worked().trim(), format!("routing-operator {version}"));
    routed(TOKEN).await;
}
