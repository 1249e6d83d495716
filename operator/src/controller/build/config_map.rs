//! The config of the pods.

use std::collections::BTreeMap;

use crds::RoutingPolicy;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

use super::labels;
use crate::controller::render::Rendered;

/// Key of the config.
pub const POLICY: &str = "policy.yaml";
/// Key of the last config that all pods ran.
pub const LAST_GOOD: &str = "last-good.yaml";

/// The ConfigMap with the config, and the last one that all pods ran.
#[must_use]
pub fn config_map(policy: &RoutingPolicy, rendered: &Rendered, last_good: Option<String>) -> ConfigMap {
    let mut data = BTreeMap::from([(POLICY.to_string(), rendered.text.clone())]);
    data.extend(last_good.map(|text| (LAST_GOOD.to_string(), text)));
    ConfigMap { metadata: labels::metadata(policy, &policy.name_any()), data: Some(data), ..ConfigMap::default() }
}
