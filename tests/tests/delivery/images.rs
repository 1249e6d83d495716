//! The images of a release in its manifests.

use std::{path::Path, process::Command};

use serde_json::Value;
use tests::{manifests::objects, required};

use crate::{
    gitops::{GitOps, OPERATOR, ROUTING, reference},
    worked, write,
};

/// The manifests of a release with its images, as built by kubectl, which has the same kustomize as Flux.
fn with_images(tree: &Path, manifests: &str) -> Vec<Value> {
    let overlay = tree.join(format!("routing/{manifests}"));
    let text = format!("resources: [../release/deploy/{manifests}]\ncomponents: [../release/images]\n");
    write(&overlay.join("kustomization.yaml"), &text);
    let mut kubectl = Command::new(required("ROUTING_TEST_KUBERNETES").join("kubectl"));
    let built = worked(kubectl.arg("kustomize").arg(&overlay).output().expect("kubectl runs"));
    objects(&built)
}

#[test]
fn a_releases_images_are_put_into_any_of_its_manifests_by_tag_and_digest() {
    let gitops = GitOps::empty();
    gitops.bumped("1.2.3");
    let tree = gitops.checked_out();
    let (routing, operator) = (reference(ROUTING, "1.2.3"), reference(OPERATOR, "1.2.3"));
    for (manifests, image) in [("operator", &operator), ("brain", &routing), ("standalone", &routing)] {
        let objects = with_images(&tree, manifests);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], image.as_str(), "{manifests}");
        let variables = container["env"].as_array().into_iter().flatten();
        let of_data_planes = variables.filter(|variable| variable["name"] == "ROUTING_IMAGE").map(|it| &it["value"]);
        let expected = if manifests == "operator" { vec![routing.as_str()] } else { vec![] };
        assert_eq!(of_data_planes.collect::<Vec<_>>(), expected, "{manifests}");
    }
}
