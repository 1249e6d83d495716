//! From a commit to a routed call, by Flux alone; and what Flux says when that can not be.

use serde_json::json;
use tests::policies::condition;

use super::{GitOps, POLICY, POLICY_NAME, TOKEN, flux, routed};
use crate::{pods, routing_policy::NAME};

/// Flux waits so long for a policy that nobody says is stuck.
const PATIENCE: &str = "20s";

#[tokio::test]
async fn flux_is_ready_when_the_policy_is_live_and_says_why_when_it_is_not() {
    let Some(gitops) = GitOps::begin("arrival").await else { return };
    let repository = &gitops.repository;
    // Just now Flux was ready.
    let policy = gitops.policies.get(POLICY_NAME).await;
    let status = policy.status.expect("a status");
    assert_eq!(status.observed_generation, policy.metadata.generation);
    assert!(condition(&status, "Ready").is_some_and(|ready| ready.status == "True"), "{status:?}");
    routed(TOKEN).await;
    let before = pods::generation(&gitops.policies, POLICY_NAME).await;
    let good = repository.git(&["rev-parse", "HEAD"]);

    // What the API server refuses: its words, which are ours, are Flux's.
    repository.replace(POLICY, "  service:\n", "  thresholds: {floor: \"0.70\", ceil: \"0.90\"}\n  service:\n");
    let said = flux::refused("routing-policies", &repository.push("Ceil above floor")).await;
    assert!(said.message.contains("must not be above floor"), "{said:?}");
    println!("refused by the API server: {}: {}", said.reason, said.message);

    // What only the operator sees: Flux names the policy, and the policy says why.
    repository.git(&["checkout", "--quiet", good.trim(), "--", POLICY]);
    let skill =
        "{name: x, description: d, inputSchema: {type: object}, stages: [{system: {text: s}, user: \"{{ oops\"}]}";
    repository.replace(POLICY, "  service:\n", &format!("  skills: [{skill}]\n  service:\n"));
    let said = flux::refused("routing-policies", &repository.push("A template that is none")).await;
    assert!(said.message.contains(&format!("RoutingPolicy/{NAME}/{POLICY_NAME} status: 'Failed'")), "{said:?}");
    let status = gitops.policies.get(POLICY_NAME).await.status.expect("a status");
    let stalled = condition(&status, "Stalled").expect("stalled");
    assert_eq!((stalled.status.as_str(), stalled.reason.as_str()), ("True", "Invalid"), "{stalled:?}");
    println!(
        "refused by the operator: {}: {}; the policy: {}: {}",
        said.reason, said.message, stalled.reason, stalled.message
    );

    // What never gets ready, though nothing is wrong with the policy: an image that is not there.
    flux::patch("Kustomization", "routing-policies", json!({"spec": {"timeout": PATIENCE}})).await;
    repository.git(&["checkout", "--quiet", good.trim(), "--", POLICY]);
    repository.replace(POLICY, "  service:\n", "  dataPlane: {image: \"127.0.0.1:1/nothing:1\"}\n  service:\n");
    let said = flux::refused("routing-policies", &repository.push("An image that is not there")).await;
    assert!(said.message.contains(&format!("RoutingPolicy/{NAME}/{POLICY_NAME} status: 'InProgress'")), "{said:?}");
    println!("not live in time: {}: {}", said.reason, said.message);

    // Meanwhile the pods of before served on.
    routed(TOKEN).await;
    let now = pods::generation(&gitops.policies, POLICY_NAME).await;
    assert!(before.iter().all(|(pod, of_before)| now.get(pod) == Some(of_before)), "{before:?} {now:?}");
    repository.git(&["checkout", "--quiet", good.trim(), "--", POLICY]);
    flux::applied("routing-policies", &repository.push("As it was")).await;
    routed(TOKEN).await;
}
