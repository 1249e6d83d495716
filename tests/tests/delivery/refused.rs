//! Wrong input is named, and nothing is pushed.

use std::process::Command;

use tests::checkout;

use crate::{
    command,
    gitops::{GitOps, OPERATOR, ROUTING, reference},
};

#[test]
fn invalid_input_of_a_release_is_refused_with_the_fix() {
    let gitops = GitOps::with(&[("mine.yaml", "mine")]);
    let refused = |bump: &mut Command| {
        let output = bump.output().expect("the script runs");
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (name, value, expected) in [
        ("GITOPS_URL", "", "GITOPS_URL: is missing"),
        ("GITOPS_URL", "https://me:secret@gitea.example/gitops.git", "GITOPS_USER and GITOPS_PASSWORD"),
        ("GITOPS_URL", "/nowhere/at/all", "/nowhere/at/all: cannot be read"),
        ("GITOPS_USER", "me", "GITOPS_PASSWORD: is missing"),
        ("GITOPS_BRANCH", "production", "no branch production; it has main"),
        ("GITOPS_FOLDER", ".", "GITOPS_FOLDER: .: must be a folder"),
        ("GITOPS_FOLDER", "routing/../..", "must be a folder of the repository, such as routing/release"),
    ] {
        let printed = refused(gitops.bump("1.2.3").env(name, value));
        assert!(printed.contains(expected) && !printed.contains("secret@"), "{name}={value}: {printed}");
    }
    let by_tag = format!("{ROUTING}:1.2.3");
    for (references, expected) in [
        ([by_tag.clone(), reference(OPERATOR, "1.2.3")], format!("{by_tag}: must be REGISTRY/NAME:TAG@sha256:…")),
        ([reference(ROUTING, "1.2.3"), reference(OPERATOR, "1.2.4")], "must have one tag".into()),
    ] {
        let mut bump = command(checkout().join("deploy/delivery/bump.sh"));
        let printed = refused(bump.args(references).env("GITOPS_URL", gitops.repository()));
        assert!(printed.contains(&expected), "{printed}");
    }
    assert_eq!(gitops.subjects(), ["mine"]);
}
