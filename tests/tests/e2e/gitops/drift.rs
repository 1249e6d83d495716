//! Changes by hand, of what is in Git and of what is not.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use tests::{policies::condition, waiting};

use super::{GitOps, PATIENCE, POLICY, POLICY_NAME, RESTARTED_AT, TOKEN, flux, no_template, routed};
use crate::{
    pods,
    routing_policy::NAME,
    setup::{self, cluster},
    tunnel::Tunnel,
};

/// Longest wait for three of Flux's intervals, including its work in each.
const THREE_INTERVALS: Duration = Duration::from_secs(180);

/// Edits the policy with `kubectl edit`, with `sed` as the editor.
fn edit(changes: &str) {
    let editor = format!("sed --in-place '{changes}'");
    let mut command: Command = cluster().kubectl_command(&["--namespace", NAME, "edit", "routingpolicy", POLICY_NAME]);
    let printed = super::run(command.env("KUBE_EDITOR", editor));
    assert!(printed.contains("edited"), "{printed}");
}

async fn floor(gitops: &GitOps) -> Value {
    let policy = serde_json::to_value(gitops.policies.get(POLICY_NAME).await).expect("JSON");
    policy["spec"]["thresholds"]["floor"].clone()
}

async fn until_changed(tunnel: &Tunnel, from: &Value) -> Value {
    waiting::until("another config on the pod", || async {
        let now = tunnel.config_hash().await;
        (now != *from).then_some(now)
    })
    .await
}

/// Waits until the operator has processed everything that happened before: it has reported on an invalid policy that is
/// created last.
async fn operator_has_looked(gitops: &GitOps) {
    gitops.policies.apply("witness", &setup::spec(json!({"skills": [no_template()]})));
    gitops
        .policies
        .wait_for("witness", "not accepted", |status| {
            condition(status, "Accepted").is_some_and(|accepted| accepted.status == "False")
        })
        .await;
    gitops.policies.kubectl(&["delete", "routingpolicy", "witness"]);
}

#[tokio::test]
async fn an_edit_by_hand_is_reverted_and_the_data_plane_follows_both_ways() {
    let Some(gitops) = GitOps::begin("edit").await else { return };
    let tunnel = pods::tunnel(&gitops.policies, POLICY_NAME).await;
    let (in_git, before) = (tunnel.config_hash().await, floor(&gitops).await);
    // A field that is in Git, and one that is not.
    edit(r#"s/name: qwen35/name: another/; s/floor: "0.90"/floor: "0.80"/"#);
    assert_ne!(floor(&gitops).await, before);
    until_changed(&tunnel, &in_git).await;
    flux::reconciled("routing-policies").await;
    assert_eq!(floor(&gitops).await, before, "Flux has reverted it");
    waiting::until_true("the pod to run what is in Git again", || async { tunnel.config_hash().await == in_git }).await;
    routed(TOKEN).await;
}

#[tokio::test]
async fn a_restart_by_hand_of_the_operators_deployment_survives_three_intervals() {
    let Some(gitops) = GitOps::begin("restart").await else { return };
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    gitops.policies.kubectl(&["rollout", "restart", "deployment/homelab"]);
    setup::rolled_out(NAME, POLICY_NAME);
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"interval": "10s"}})).await;
    let counted = || async {
        let object = flux::object("Kustomization", "routing-policies").await;
        object["status"]["history"][0]["totalReconciliations"].as_u64().unwrap_or_default()
    };
    // The reconciliation that the changed interval triggers is not counted.
    flux::reconciled("routing-policies").await;
    let first = counted().await;
    waiting::until_true_within(THREE_INTERVALS, "three intervals of Flux", || async { counted().await >= first + 3 })
        .await;
    let deployment = gitops.policies.object("Deployment", POLICY_NAME).await.expect("the Deployment");
    assert!(deployment.pointer(RESTARTED_AT).is_some(), "the restart is undone: {deployment}");
    let after = pods::generation(&gitops.policies, POLICY_NAME).await;
    assert!(after.keys().all(|pod| !before.contains_key(pod)) && !after.is_empty(), "{before:?} {after:?}");
    routed(TOKEN).await;
}

#[tokio::test]
async fn flux_leaves_alone_what_is_suspended() {
    let Some(gitops) = GitOps::begin("flux-suspended").await else { return };
    gitops.repository.add_to_spec("thresholds: {floor: \"0.90\", ceil: \"0.70\"}");
    let before = gitops.repository.push("Thresholds in Git");
    flux::applied("routing-policies", &before).await;
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"suspend": true}})).await;
    edit(r#"s/floor: "0.90"/floor: "0.80"/"#);
    gitops.repository.replace(POLICY, r#"floor: "0.90""#, r#"floor: "0.95""#);
    let revision = gitops.repository.push("Another floor");
    flux::request("Kustomization", "routing-policies").await;
    // The other Kustomizations continue.
    flux::applied("routing-operator", &revision).await;
    assert_eq!(floor(&gitops).await, json!("0.80"), "neither reverted nor replaced");
    let suspended = flux::object("Kustomization", "routing-policies").await;
    assert_eq!(suspended["status"]["lastAppliedRevision"], json!(before));
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"suspend": false}})).await;
    flux::applied("routing-policies", &revision).await;
    assert_eq!(floor(&gitops).await, json!("0.95"), "resumed");
}

#[tokio::test]
async fn the_operator_leaves_alone_what_is_suspended_in_git() {
    let Some(gitops) = GitOps::begin("policy-suspended").await else { return };
    // A suspended policy is in progress for Flux, which would wait for it.
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"timeout": PATIENCE}})).await;
    let tunnel = pods::tunnel(&gitops.policies, POLICY_NAME).await;
    let (runs, config) = (tunnel.config_hash().await, config(&gitops).await);
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    gitops.repository.add_to_spec("thresholds: {floor: \"0.85\", ceil: \"0.70\"}");
    gitops.repository.add_to_spec("suspend: true");
    let revision = gitops.repository.push("Suspended, with another floor");
    let said = flux::refused("routing-policies", &revision).await;
    assert!(said.message.contains("status: 'InProgress'"), "{said:?}");
    let policy = gitops.policies.get(POLICY_NAME).await;
    assert!(policy.spec.suspend && floor(&gitops).await == json!("0.85"), "{policy:?}");
    let by_hand = ["label", "service", "homelab-nodeport", "app.kubernetes.io/managed-by=by-hand", "--overwrite"];
    gitops.policies.kubectl(&by_hand);
    operator_has_looked(&gitops).await;
    let label = || async {
        let service = gitops.policies.object("Service", "homelab-nodeport").await.expect("the Service");
        service["metadata"]["labels"]["app.kubernetes.io/managed-by"].clone()
    };
    assert_eq!(label().await, json!("by-hand"));
    assert_eq!(self::config(&gitops).await, config, "the pods' config is unchanged");
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before);
    routed(TOKEN).await;

    gitops.repository.replace(POLICY, "  suspend: true\n", "");
    flux::applied("routing-policies", &gitops.repository.push("Resumed")).await;
    assert_ne!(tunnel.config_hash().await, runs);
    assert_ne!(label().await, json!("by-hand"));
}

/// The config that the operator wrote for the pods.
async fn config(gitops: &GitOps) -> Value {
    gitops.policies.object("ConfigMap", POLICY_NAME).await.expect("the config")["data"]["policy.yaml"].clone()
}
