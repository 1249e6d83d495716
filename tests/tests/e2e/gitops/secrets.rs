//! Secrets in Git, encrypted for the cluster's key.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::waiting;

use super::{
    GitOps, POLICY, POLICY_NAME, SECRET, TOKEN, called, encrypt, flux, own_site, repository::Repository, routed,
    secret_script, site::site,
};
use crate::{live_changes::TOLD, pods, routing_policy::NAME};

/// A kubelet refreshes mounted files by itself about every minute and a half.
const IN_FORCE: Duration = Duration::from_secs(120);

/// Waits until calls with a token are answered, and returns how long that took.
async fn until_in_force(token: &str, limit: Duration) -> Duration {
    let began = Instant::now();
    let what = format!("{token} to be in force");
    waiting::until_true_within(limit, &what, || async { called(token).await.0 == 200 }).await;
    began.elapsed()
}

#[tokio::test]
async fn a_secret_is_decrypted_and_a_rotated_one_is_in_force_without_a_restart() {
    let Some(gitops) = GitOps::begin("secrets").await else { return };
    let site = site().await;
    let file = gitops.repository.folder().join(SECRET);
    let in_git = std::fs::read_to_string(&file).expect("the file");
    assert!(!in_git.contains(TOKEN) && in_git.contains("ENC[AES256_GCM"), "{in_git}");
    routed(TOKEN).await;

    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    // Values that are not given stay, here the gateway's key: without it no call is answered.
    super::run(secret_script(site, &file).env("ROUTING_MCP_TOKEN", "second-token"));
    let revision = gitops.repository.push("Another token");
    flux::applied("routing-policies", &revision).await;
    let took = until_in_force("second-token", IN_FORCE).await;
    println!("a rotated Secret, from applied to in force: {:.0} s; limit 120 s", took.as_secs_f64());
    assert_eq!(called(TOKEN).await.0, 401, "the first one is void");
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before, "nothing was restarted");

    // To have it at once: the same, and an annotation of the policy, in one commit.
    super::run(secret_script(site, &file).env("ROUTING_MCP_TOKEN", "third-token"));
    gitops.repository.replace(
        POLICY,
        "metadata:\n",
        "metadata:\n  annotations: {routing.hyperguild.io/requestedAt: the-third}\n",
    );
    let revision = gitops.repository.push("A third token, at once");
    flux::applied("routing-policies", &revision).await;
    let took = until_in_force("third-token", TOLD).await;
    println!("the same with requestedAt: {:.1} s", took.as_secs_f64());
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before, "nothing was restarted");
}

#[tokio::test]
async fn a_file_that_cannot_be_decrypted_is_named_and_what_ran_keeps_running() {
    let Some(gitops) = GitOps::begin("undecryptable").await else { return };
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let secret = gitops.policies.object("Secret", "routing-secrets").await.expect("the Secret");
    // Encrypted for a key that the cluster does not have.
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("other.agekey");
    super::run(Command::new("age-keygen").arg("--output").arg(&key));
    let others = super::run(Command::new("age-keygen").arg("-y").arg(&key));
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
    println!("Flux reports for a file encrypted for another key: {}: {}", said.reason, said.message.replace('\n', " "));
    assert_eq!(gitops.policies.object("Secret", "routing-secrets").await.expect("the Secret")["data"], secret["data"]);
    routed(TOKEN).await;
    assert_eq!(pods::generation(&gitops.policies, POLICY_NAME).await, before);

    flux::applied("routing-policies", &gitops.repository.revert("HEAD")).await;
    routed(TOKEN).await;
}

/// What the script prints when it refuses.
fn refusal(command: &mut Command) -> String {
    let output = command.env("LITELLM_API_KEY", "k").output().expect("the script runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_script_names_what_is_wrong_and_leaves_the_file_as_it_was() {
    let Some(site) = own_site().await else { return };
    let repository = Repository::new(site, "refusals");
    let file = repository.folder().join("secrets.enc.yaml");
    encrypt(site, &file, TOKEN);
    let before = std::fs::read_to_string(&file).expect("the file");
    let outside = tempfile::tempdir().expect("a folder");
    let said = refusal(&mut secret_script(site, &outside.path().join("secrets.enc.yaml")));
    assert!(said.contains("is in no Git repository"), "{said}");
    let inside = repository.folder().join("age.agekey");
    let said = refusal(secret_script(site, &file).env("SOPS_AGE_KEY_FILE", &inside));
    assert!(said.contains("is in the repository, where it would be committed"), "{said}");
    let others = outside.path().join("others.agekey");
    super::run(Command::new("age-keygen").arg("--output").arg(&others));
    let said = refusal(secret_script(site, &file).env("SOPS_AGE_KEY_FILE", &others));
    assert!(said.contains("has no such key"), "{said}");
    let said = refusal(secret_script(site, &file).arg("NO_SUCH_VALUE"));
    assert!(said.contains("NO_SUCH_VALUE") && said.contains("is missing; set the variable"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), before);
    assert!(!inside.exists(), "no key was created where none may be");
}
