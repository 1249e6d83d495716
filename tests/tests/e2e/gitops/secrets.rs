//! Secrets in Git, encrypted for the cluster's key.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::waiting;

use super::{GitOps, POLICY, POLICY_NAME, SECRET, TOKEN, called, encrypt, flux, routed, site::site};
use crate::{pods, routing_policy::NAME};

/// A kubelet looks at mounted files by itself once in about a minute and a half.
const IN_FORCE: Duration = Duration::from_secs(120);

/// With the annotation the kubelet does so within seconds.
const AT_ONCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_secret_is_decrypted_and_a_rotated_one_is_in_force_without_a_restart() {
    let Some(gitops) = GitOps::begin("secrets").await else { return };
    let site = site().await;
    let file = gitops.repository.folder().join(SECRET);
    let in_git = std::fs::read_to_string(&file).expect("the file");
    assert!(!in_git.contains(TOKEN) && in_git.contains("ENC[AES256_GCM"), "{in_git}");
    routed(TOKEN).await;

    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    encrypt(site, &file, "second-token");
    let revision = gitops.repository.push("Another token");
    flux::applied("routing-policies", &revision).await;
    let began = Instant::now();
    waiting::until_within(IN_FORCE, "the second token to be in force", || async {
        (called("second-token").await.0 == 200).then_some(())
    })
    .await;
    println!("a rotated Secret, from applied to in force: {:.0} s; limit 120 s", began.elapsed().as_secs_f64());
    assert_eq!(called(TOKEN).await.0, 401, "the first one is no longer");
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before, "nothing was restarted");

    // In a hurry: the same, and an annotation of the policy, in one commit.
    encrypt(site, &file, "third-token");
    gitops.repository.replace(
        POLICY,
        "metadata:\n",
        "metadata:\n  annotations: {routing.hyperguild.io/requestedAt: the-third}\n",
    );
    let revision = gitops.repository.push("A third token, at once");
    flux::applied("routing-policies", &revision).await;
    let began = Instant::now();
    waiting::until_within(AT_ONCE, "the third token to be in force", || async {
        (called("third-token").await.0 == 200).then_some(())
    })
    .await;
    println!("the same with requestedAt: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before, "nothing was restarted");
}

#[tokio::test]
async fn a_file_that_can_not_be_decrypted_is_named_and_what_ran_keeps_running() {
    let Some(gitops) = GitOps::begin("undecryptable").await else { return };
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let secret = gitops.policies.object("Secret", "routing-secrets").await.expect("the Secret");
    // For a key that the cluster has not.
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("other.agekey");
    super::run(std::process::Command::new("age-keygen").arg("--output").arg(&key));
    let others = super::run(std::process::Command::new("age-keygen").arg("-y").arg(&key));
    let plain = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "routing-secrets", "namespace": NAME},
        "stringData": {"ROUTING_MCP_TOKEN": "nobody-reads-this"}});
    let file = folder.path().join("secret.yaml");
    std::fs::write(&file, plain.to_string()).expect("written");
    let mut sops = site().await.command("sops");
    let options = ["--encrypted-regex", "^(stringData|data)$", "--input-type=json", "--output-type=yaml"];
    let encrypted = super::run(sops.args(["encrypt", "--age", others.trim()]).args(options).arg(&file));
    gitops.repository.write(SECRET, &encrypted);
    let revision = gitops.repository.push("For another key");

    let said = flux::refused("routing-policies", &revision).await;
    assert!(said.message.contains("routing-secrets") && said.message.contains("decrypt"), "{said:?}");
    println!("Flux says of a file for another key: {}: {}", said.reason, said.message.replace('\n', " "));
    assert_eq!(gitops.policies.object("Secret", "routing-secrets").await.expect("the Secret")["data"], secret["data"]);
    routed(TOKEN).await;
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before);

    flux::applied("routing-policies", &gitops.repository.revert("HEAD")).await;
    routed(TOKEN).await;
}
