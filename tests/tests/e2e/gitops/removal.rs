//! What is deleted, and what stays, when something is removed from Git.

use serde_json::{Value, json};
use tests::{cluster::deploy, policies::CHILD_KINDS, policy::merged, waiting};

use super::{GitOps, POLICY, POLICY_NAME, TOKEN, flux, routed};
use crate::setup::cluster;

const DEFINITION: &str = "crd/routingpolicies.routing.hyperguild.io";

/// The kinds of a policy's existing children.
async fn children(gitops: &GitOps, policy: &str) -> Vec<String> {
    let mut found = vec![];
    for kind in CHILD_KINDS {
        let list = gitops.policies.objects(kind).list(&Default::default()).await.expect("a list");
        let owned = |object: &kube::api::DynamicObject| {
            object
                .metadata
                .owner_references
                .iter()
                .flatten()
                .any(|owner| owner.kind == "RoutingPolicy" && owner.name == policy)
        };
        found.extend(list.items.iter().filter(|object| owned(object)).map(|_| kind.to_string()));
    }
    found
}

#[tokio::test]
async fn a_policy_removed_from_git_takes_its_children_and_the_definition_outlives_everything() {
    let Some(gitops) = GitOps::begin("removal").await else { return };
    let repository = &gitops.repository;
    // A second policy next to the first, with its own name and nodePort.
    let first = std::fs::read_to_string(repository.folder().join(POLICY)).expect("the policy");
    let first: Value = serde_saphyr::from_str(&first).expect("YAML");
    let change = json!({"metadata": {"name": "spare"}, "spec": {"service": {"nodePort": 30311}}});
    let second = merged(first.clone(), change);
    let of_first = (&first["metadata"]["name"], &first["spec"]["service"]["nodePort"]);
    assert_eq!(of_first, (&json!("homelab"), &json!(30310)), "what the second one differs in");
    repository.write("routing/policies/spare.yaml", &second.to_string());
    repository.replace("routing/policies/kustomization.yaml", "- policy.yaml", "- policy.yaml\n  - spare.yaml");
    flux::applied("routing-policies", &repository.push("A second policy")).await;
    let all = children(&gitops, "spare").await;
    assert!(
        ["Deployment", "Service", "ConfigMap", "ServiceAccount", "NetworkPolicy"]
            .iter()
            .all(|kind| all.contains(&(*kind).to_string())),
        "{all:?}"
    );

    flux::applied("routing-policies", &repository.revert("HEAD")).await;
    waiting::until_true("the second policy's children to be gone", || async {
        children(&gitops, "spare").await.is_empty()
    })
    .await;
    assert!(gitops.policies.api().get_opt("spare").await.expect("an answer").is_none());
    cluster().kubectl(&["get", DEFINITION]).expect_worked();
    routed(TOKEN).await;

    // Everything, even if Flux should prune the definition.
    let uid = definition_uid();
    flux::patch("Kustomization", "routing-crds", json!({"spec": {"prune": true}})).await;
    flux::reconciled("routing-crds").await;
    // As the page says, all at once.
    cluster().kubectl(&["delete", "-k", &deploy("flux"), "--timeout=240s"]).expect_worked();
    assert_eq!(definition_uid(), uid, "the definition is the same object");
    waiting::until_true("operator and policies to be gone", || async {
        let operator = cluster()
            .kubectl(&["get", "namespace", "routing-system", "--ignore-not-found", "--output=name"])
            .expect_worked();
        let policies = gitops.policies.api().list(&Default::default()).await.expect("a list").items;
        operator.is_empty() && policies.is_empty()
    })
    .await;
    waiting::until_true("the policy's children to be gone", || async {
        children(&gitops, POLICY_NAME).await.is_empty()
    })
    .await;
}

fn definition_uid() -> String {
    cluster().kubectl(&["get", DEFINITION, "--output=jsonpath={.metadata.uid}"]).expect_worked()
}
