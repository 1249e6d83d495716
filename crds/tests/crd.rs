//! The committed CustomResourceDefinition is the one that the types generate.

use serde_json::Value;

#[test]
fn the_committed_crd_is_the_generated_one() {
    let committed: Value = serde_saphyr::from_str(include_str!("../routingpolicies.yaml")).expect("YAML");
    let generated = serde_json::to_value(crds::definition()).expect("JSON");
    assert!(committed == generated, "crds/routingpolicies.yaml is not what the types generate: run `make generate`");
}

#[test]
fn every_field_has_a_description_for_kubectl_explain() {
    let crd = serde_json::to_value(crds::definition()).expect("JSON");
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut undescribed = vec![];
    without_description(spec, "spec", &mut undescribed);
    assert_eq!(undescribed, Vec::<String>::new());
}

fn without_description(schema: &Value, path: &str, found: &mut Vec<String>) {
    if schema.get("description").is_none() && !path.ends_with("[]") {
        found.push(path.to_string());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        without_description(field, &format!("{path}.{name}"), found);
    }
    if let Some(items) = schema.get("items") {
        without_description(items, &format!("{path}[]"), found);
    }
}

/// By Flux: a definition that is gone from Git takes no policy with it; a policy is not ready before the operator saw it.
#[test]
fn flux_neither_deletes_the_definition_nor_takes_a_new_policy_for_ready() {
    let crd = serde_json::to_value(crds::definition()).expect("JSON");
    assert_eq!(crd["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"], "disabled");
    let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
    assert_eq!(status["default"]["observedGeneration"], -1);
}
