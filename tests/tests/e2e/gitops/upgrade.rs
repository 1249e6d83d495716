//! From an earlier version to this one and back, under load. `make e2e-full`.

use std::{path::Path, process::Command, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tests::{checkout, policies::Policies, required, waiting};

use super::{
    GitOps, POLICY, POLICY_NAME, TOKEN, flux, operator_version, own_site,
    pipeline::{self, Of},
    prepared,
    repository::Repository,
    site::{GIT_CREDENTIALS, Site, run},
};
use crate::{
    load::{Load, Plan},
    pods,
    routing_policy::NODE_PORT,
    setup,
};

/// A field that no version of the operator knows: the definition of the newer release has it.
const NEWER: &str = "ofANewerVersion";
const DEFINITION: &str = "routing/release/crds/routingpolicies.yaml";
const REPLICAS: usize = 2;
/// Longest wait for a rollout: old pods answer their last calls before they end.
const ROLLED: Duration = Duration::from_secs(300);

/// A version, and the image of its data plane.
struct Version {
    name: String,
    image: String,
}

/// Commits the earlier version as a release: its images and its own files, with today's scripts. Returns the image of
/// the data plane.
fn release_earlier(site: &Site, repository: &Repository) -> String {
    let earlier = required("ROUTING_TEST_EARLIER");
    let push = checkout().join("deploy/delivery/push.sh").display().to_string();
    let references = ["routing", "routing-operator"].map(|name| {
        let target = format!("{}/{name}:earlier", site.registry());
        run(site.command(&push).arg(earlier.join(format!("{name}.tar"))).arg(target)).trim().to_string()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |from: &Path, to: &str| {
        run(Command::new("cp").arg("--recursive").arg(from).arg(folder.path().join(to)));
    };
    copy(&earlier.join("tree/crds"), "crds");
    copy(&earlier.join("tree/deploy"), "deploy");
    copy(&checkout().join("deploy/delivery"), "deploy/delivery");
    let bump = folder.path().join("deploy/delivery/bump.sh").display().to_string();
    run(site.command(&bump).args(&references).env("GITOPS_URL", &repository.url).envs(GIT_CREDENTIALS));
    repository.pull();
    let [image, _] = references;
    image
}

fn image(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.containers.first()?.image.as_deref()
}

/// Waits until all pods and the operator have a version; Flux may be ready a moment before the operator has started.
async fn until_all_are(policies: &Policies, version: &Version) {
    waiting::until_true_within(ROLLED, &format!("operator and pods to have {}", version.name), || async {
        let pods = pods::of(policies, POLICY_NAME).await;
        let is_new = |pod: &Pod| pods::is_ready(pod) && image(pod) == Some(version.image.as_str());
        pods.len() == REPLICAS && pods.iter().all(is_new)
    })
    .await;
    policies.wait_until_ready(POLICY_NAME).await;
    for tunnel in pods::tunnels(policies, POLICY_NAME).await {
        assert_eq!(tunnel.status().await["version"], json!(version.name));
    }
    assert_eq!(operator_version(), version.name);
}

/// The message of the policy's condition `Accepted`.
async fn accepted(policies: &Policies) -> String {
    let status = policies.get(POLICY_NAME).await.status.unwrap_or_default();
    tests::policies::condition(&status, "Accepted").map(|condition| condition.message.clone()).unwrap_or_default()
}

/// Waits until every pod reports the field as unknown.
async fn until_pods_name_it(policies: &Policies) {
    for tunnel in pods::tunnels(policies, POLICY_NAME).await {
        waiting::until_true("the pod to name the field", || async {
            tunnel.status().await["unknownFields"] == json!([format!("spec.{NEWER}")])
        })
        .await;
    }
}

/// Adds the field to the definition, and to the policy.
fn add_newer_field(repository: &Repository) {
    let text = std::fs::read_to_string(repository.folder().join(DEFINITION)).expect("the definition");
    let mut definition: Value = serde_saphyr::from_str(&text).expect("YAML");
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let fields = definition.pointer_mut(spec).and_then(Value::as_object_mut).expect("the fields of the spec");
    fields.insert(NEWER.into(), json!({"type": "string"}));
    repository.write(DEFINITION, &serde_saphyr::to_string(&definition).expect("YAML"));
    repository.add_to_spec(&format!("{NEWER}: kept"));
}

/// The value of the field on the API server.
fn newer_field(policies: &Policies) -> Value {
    let printed = policies.kubectl(&["get", "routingpolicy", POLICY_NAME, "--output=json"]);
    let policy: Value = serde_json::from_str(&printed).expect("JSON");
    policy["spec"][NEWER].clone()
}

#[tokio::test]
async fn an_upgrade_and_a_rollback_lose_no_call_and_no_policy() {
    if !setup::count(false, true) {
        println!("skipped: an earlier version is built only for `make e2e-full`");
        return;
    }
    let Some(site) = own_site().await else { return };
    let pushed = pipeline::pushed(site, Of::Workspace).await;
    let current = Version { name: pushed.version.clone(), image: pushed.reference("routing") };
    let repository = prepared(site, "upgrade").await;
    let image = release_earlier(site, &repository);
    let gitops = GitOps::delivered(site, repository).await;
    let (repository, policies) = (&gitops.repository, &gitops.policies);
    repository.add_to_spec(&format!("dataPlane: {{replicas: {REPLICAS}}}"));
    flux::applied("routing-policies", &repository.push("Two replicas")).await;
    let earlier = Version { name: operator_version(), image };
    until_all_are(policies, &earlier).await;
    let (before, uid) = (repository.head(), policies.get(POLICY_NAME).await.metadata.uid);

    let load = Load::start(Plan {
        port: NODE_PORT,
        token: Some(TOKEN),
        per_second: 50,
        slow_one_in: 20,
        slow: Duration::from_secs(20),
    });
    let said = |what: &str| println!("  {what}: {} failed so far", load.failures());

    // Up, in one commit; then a field of a newer definition.
    pushed.release(site, repository);
    let release = repository.head();
    flux::applied("routing-policies", &repository.revision()).await;
    until_all_are(policies, &current).await;
    said(&format!("from {} to {}", earlier.name, current.name));
    add_newer_field(repository);
    flux::applied("routing-policies", &repository.push("A field that only a newer definition has")).await;
    assert!(accepted(policies).await.contains(&format!("spec.{NEWER}")), "{}", accepted(policies).await);
    until_pods_name_it(policies).await;
    said("a field that the operator and the pods name as unknown");

    // Back while the definition stays: the policy has the field, and the earlier operator runs it.
    repository.back_to(&before, &["routing/release/deploy", "routing/release/images"]);
    flux::applied("routing-policies", &repository.push("The previous images and manifests")).await;
    until_all_are(policies, &earlier).await;
    assert_eq!(newer_field(policies), json!("kept"));
    said(&format!("back to {}, with the newer definition and the field", earlier.name));

    // The definition, too: Flux names the field, and what ran keeps running.
    repository.back_to(&before, &[DEFINITION]);
    let refused = flux::refused("routing-policies", &repository.push("The previous definition")).await;
    assert!(refused.message.contains(NEWER), "{refused:?}");
    println!("  Flux, of the earlier definition: {}: {}", refused.reason, refused.message.trim());
    assert_eq!(policies.get(POLICY_NAME).await.metadata.uid, uid, "the same policy");
    repository.back_to(&before, &[POLICY]);
    flux::applied("routing-policies", &repository.push("Without the field")).await;
    until_all_are(policies, &earlier).await;
    said("with the earlier definition");

    // And as the page says: up once more, and back by reverting the release.
    repository.back_to(&release, &["routing/release"]);
    flux::applied("routing-policies", &repository.push("Up again")).await;
    until_all_are(policies, &current).await;
    flux::applied("routing-policies", &repository.revert("HEAD")).await;
    until_all_are(policies, &earlier).await;
    assert_eq!(policies.get(POLICY_NAME).await.metadata.uid, uid, "the same policy");
    said("up again, and back by one revert");

    let report = load.end();
    println!("up and back, twice: {}", report.line());
    report.expect_no_failure();
}
