//! From an earlier version to this one and back, under load. `make e2e-full`.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tests::{checkout, policies::Policies, required, waiting};

use super::{
    GitOps, POLICY, POLICY_NAME, TOKEN, flux, own_site,
    pipeline::deliver,
    prepared,
    repository::Repository,
    site::{GIT_PASSWORD, Site, run},
};
use crate::{
    load::{Load, Plan},
    pods,
    routing_policy::NODE_PORT,
    setup::{self, cluster},
};

/// A field that no version of the operator knows: the definition of the newer release has it.
const NEWER: &str = "spec.ofANewerVersion";
const DEFINITION: &str = "routing/release/crds/routingpolicies.yaml";
const IMAGES: &str = "routing/release/images/kustomization.yaml";

/// Pushes the images of the earlier version.
fn push_earlier(site: &Site) -> Vec<String> {
    let script = checkout().join("deploy/delivery/push.sh").display().to_string();
    let push = |name: &str| {
        let archive = required("ROUTING_TEST_EARLIER").join(format!("{name}.tar"));
        let reference = format!("{}/{name}:earlier", site.registry());
        run(site.command(&script).arg(archive).arg(reference)).trim().to_string()
    };
    ["routing", "routing-operator"].map(push).into()
}

/// Commits the earlier version as a release: its own files, by today's script.
fn release_earlier(site: &Site, repository: &Repository) {
    let references = push_earlier(site);
    let folder = tempfile::tempdir().expect("a folder");
    let tree = required("ROUTING_TEST_EARLIER").join("tree");
    let copy = |from: &Path, to: &Path| run(Command::new("cp").arg("--recursive").arg(from).arg(to));
    for part in ["crds", "deploy"] {
        copy(&tree.join(part), &folder.path().join(part));
    }
    copy(&checkout().join("deploy/delivery"), &folder.path().join("deploy/delivery"));
    let mut bump = site.command(&folder.path().join("deploy/delivery/bump.sh").display().to_string());
    let password = [("GITOPS_USER", "git"), ("GITOPS_PASSWORD", GIT_PASSWORD)];
    run(bump.args(&references).env("GITOPS_URL", &repository.url).envs(password));
    repository.pull();
}

/// The version that each pod of the policy reports, when all of them report the same and the policy is ready.
async fn version(policies: &Policies) -> String {
    policies.wait_until_ready(POLICY_NAME).await;
    let mut found = vec![];
    for tunnel in pods::tunnels(policies, POLICY_NAME).await {
        found.push(tunnel.status().await["version"].as_str().unwrap_or_default().to_string());
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn operator_version() -> String {
    let exec = ["--namespace", "routing-system", "exec", "deployment/routing-operator", "--"];
    let program = ["/usr/local/bin/routing-operator", "--version"];
    cluster().kubectl(&[&exec[..], &program].concat()).expect_worked().trim().replace("routing-operator ", "")
}

/// Puts files back to what they were in a commit.
fn back_to(repository: &Repository, commit: &str, paths: &[&str]) {
    repository.git(&[&["checkout", "--quiet", commit, "--"], paths].concat());
}

async fn message(policies: &Policies, kind: &str) -> String {
    let status = policies.get(POLICY_NAME).await.status.unwrap_or_default();
    tests::policies::condition(&status, kind).map(|condition| condition.message.clone()).unwrap_or_default()
}

/// What every pod names as unknown to it, in its log.
fn pods_warn(policies: &Policies) -> bool {
    let selector = format!("app.kubernetes.io/instance={POLICY_NAME}");
    let log = policies.kubectl(&["logs", "--selector", &selector, "--tail=-1"]);
    log.lines().any(|line| line.contains("does not know") && line.contains(NEWER))
}

#[tokio::test]
async fn an_upgrade_and_the_way_back_lose_no_call_and_no_policy() {
    if !setup::count(false, true) {
        println!("left out: an earlier version is built for `make e2e-full` only");
        return;
    }
    let Some(site) = own_site().await else { return };
    let repository = prepared(site, "upgrade").await;
    release_earlier(site, &repository);
    let gitops = GitOps::delivered(site, repository).await;
    let (repository, policies) = (&gitops.repository, &gitops.policies);
    repository.replace(POLICY, "  service:\n", "  dataPlane: {replicas: 2}\n  service:\n");
    flux::applied("routing-policies", &repository.push("Two replicas")).await;
    let earlier_commit = repository.git(&["rev-parse", "HEAD"]).trim().to_string();
    let earlier = version(policies).await;
    let uid = policies.get(POLICY_NAME).await.metadata.uid;
    println!("before: {earlier}, operator {}", operator_version());

    let load = Load::start(Plan {
        port: NODE_PORT,
        token: Some(TOKEN),
        per_second: 50,
        slow_one_in: 20,
        slow: Duration::from_secs(20),
    });
    let said = |what: &str| println!("  {what}: {} failed so far", load.failures());

    // Up: operator, pods, definition in one commit; then a field of the newer definition.
    let current = deliver(site, repository, true);
    flux::applied("routing-policies", &repository.revision()).await;
    assert_eq!((version(policies).await, operator_version()), (current.clone(), current.clone()));
    said(&format!("to {current}"));
    add_newer_field(repository);
    flux::applied("routing-policies", &repository.push("A field that only a newer definition has")).await;
    assert!(message(policies, "Accepted").await.contains(NEWER), "the operator names it");
    waiting::until("the pods to name it", || async { pods_warn(policies).then_some(()) }).await;
    said("a field that neither operator nor pods know");

    // Back, as a careful owner goes: images and manifests first, while the definition stays.
    back_to(repository, &earlier_commit, &["routing/release/deploy", IMAGES]);
    flux::applied("routing-policies", &repository.push("Back to the earlier version")).await;
    assert_eq!((version(policies).await, operator_version()), (earlier.clone(), earlier.clone()));
    assert_eq!(newer_field(policies).await, json!("kept"), "the policy has it still");
    said(&format!("back to {earlier}, with the newer definition"));

    // The definition, too: Flux reports the field, and what ran goes on.
    back_to(repository, &earlier_commit, &[DEFINITION]);
    let refused = flux::refused("routing-policies", &repository.push("The earlier definition, too")).await;
    assert!(refused.message.contains("ofANewerVersion"), "{refused:?}");
    println!("  Flux on the earlier definition: {}: {}", refused.reason, refused.message);
    assert_eq!(policies.get(POLICY_NAME).await.metadata.uid, uid, "the same policy");
    said("with the earlier definition");
    back_to(repository, &earlier_commit, &[POLICY]);
    flux::applied("routing-policies", &repository.push("The policy of before")).await;
    assert_eq!(version(policies).await, earlier);
    assert_eq!(policies.get(POLICY_NAME).await.metadata.uid, uid, "the same policy");

    let report = load.end();
    println!("up and back: {}", report.line());
    report.expect_no_failure();
}

/// Adds the field to the definition, and to the policy.
fn add_newer_field(repository: &Repository) {
    let file = repository.folder().join(DEFINITION);
    let text = std::fs::read_to_string(&file).expect("the definition");
    let mut definition: Value = serde_saphyr::from_str(&text).expect("YAML");
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let fields = definition.pointer_mut(spec).and_then(Value::as_object_mut).expect("the fields of the spec");
    fields.insert(NEWER.trim_start_matches("spec.").into(), json!({"type": "string"}));
    repository.write(DEFINITION, &serde_saphyr::to_string(&definition).expect("YAML"));
    repository.replace(POLICY, "  service:\n", "  ofANewerVersion: kept\n  service:\n");
}

/// The field as the API server has it.
async fn newer_field(policies: &Policies) -> Value {
    let printed = policies.kubectl(&["get", "routingpolicy", POLICY_NAME, "--output=json"]);
    let policy: Value = serde_json::from_str(&printed).expect("JSON");
    policy["spec"]["ofANewerVersion"].clone()
}
