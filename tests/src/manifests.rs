//! The objects that `kubectl kustomize` builds from a folder.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::{cluster::deploy, required};

/// The objects in a text of several YAML documents, as kubectl prints them.
///
/// # Panics
/// If one of them is not YAML.
#[must_use]
pub fn objects(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|object| serde_saphyr::from_str(object).expect("YAML")).collect()
}

/// The objects of a kustomization below `deploy`, by kind and name.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn built(folder: &str) -> BTreeMap<String, Value> {
    let output = Command::new(required("ROUTING_TEST_KUBERNETES").join("kubectl"))
        .args(["kustomize", &deploy(folder)])
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8(output.stdout).expect("UTF-8"))
        .into_iter()
        .map(|object| (format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', ""), object))
        .collect()
}
