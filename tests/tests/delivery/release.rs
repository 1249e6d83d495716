//! A release in a GitOps repository.

use std::fs;

use tests::checkout;

use crate::gitops::{GitOps, RELEASE};

#[test]
fn a_release_is_one_commit_of_the_unchanged_manifests_and_repeating_it_is_none() {
    let gitops = GitOps::empty();
    assert!(gitops.bumped("1.2.3").contains("Release routing 1.2.3"));
    assert!(gitops.bumped("1.2.3").ends_with("routing/release: is 1.2.3 already"));
    assert_eq!(gitops.subjects(), ["Release routing 1.2.3"]);
    let tree = gitops.checked_out();
    let copied = [
        "crds/routingpolicies.yaml",
        "deploy/operator/rbac.yaml",
        "deploy/operator-secret-label/kustomization.yaml",
        "deploy/standalone/secrets.enc.yaml",
    ];
    for file in copied {
        let ours = fs::read(checkout().join(file)).expect("a file");
        assert_eq!(fs::read(tree.join(RELEASE).join(file)).expect("a file of the release"), ours, "{file}");
    }
    assert!(gitops.files().contains(&format!("{RELEASE}/images/kustomization.yaml")));
}

#[test]
fn a_release_replaces_its_whole_folder_and_nothing_else() {
    let stale = format!("{RELEASE}/deploy/operator/stale.yaml");
    let gitops =
        GitOps::with(&[("routing/policies/policy.yaml", "mine"), (&stale, "old"), (".gitignore", "*.enc.yaml")]);
    gitops.bumped("1.2.3");
    let files = gitops.files();
    assert!(files.contains(&"routing/policies/policy.yaml".into()) && !files.contains(&stale), "{files:?}");
    assert!(files.contains(&format!("{RELEASE}/deploy/standalone/secrets.enc.yaml")), "also ignored files: {files:?}");
    assert_eq!(gitops.subjects(), ["Release routing 1.2.3", "mine"]);
}
