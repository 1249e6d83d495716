//! The ConfigMap that the pods mount.

use std::collections::BTreeMap;

use crds::{
    RoutingPolicy,
    pod::{LAST_GOOD_FILE, POLICY_FILE},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

use crate::controller::labels;
use crate::controller::render::Rendered;

/// The ConfigMap with the config, and with the last config that all pods ran, if there is one.
#[must_use]
pub fn config_map(policy: &RoutingPolicy, rendered: &Rendered, last_good: Option<String>) -> ConfigMap {
    let mut data = BTreeMap::from([(POLICY_FILE.to_string(), rendered.text.clone())]);
    data.extend(last_good.map(|text| (LAST_GOOD_FILE.to_string(), text)));
    ConfigMap { metadata: labels::metadata(policy, &policy.name_any()), data: Some(data), ..ConfigMap::default() }
}
