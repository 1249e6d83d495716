//! What `kubectl kustomize` makes of a folder.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::{cluster::deploy, required};

/// The objects of a kustomization below `deploy`, by kind and name.
///
/// # Panics
/// It cannot be built.
#[must_use]
pub fn built(folder: &str) -> BTreeMap<String, Value> {
    let output = Command::new(required("ROUTING_TEST_KUBERNETES").join("kubectl"))
        .args(["kustomize", &deploy(folder)])
        .output()
        .expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let objects = text.split("\n---\n").map(|object| serde_saphyr::from_str::<Value>(object).expect("YAML"));
    objects
        .map(|object| (format!("{} {}", object["kind"], object["metadata"]["name"]).replace('"', ""), object))
        .collect()
}
