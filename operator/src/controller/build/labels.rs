//! Names that tie objects to their policy. The selector is for ever: Kubernetes lets nobody change it.

use std::collections::BTreeMap;

use crds::RoutingPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Resource, ResourceExt, api::ObjectMeta};

/// Label: which application.
pub const NAME: &str = "app.kubernetes.io/name";
/// Label: of which policy.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: who made it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of pods as in the plain manifests.
const APP: &str = "app";
/// What the data plane is called.
const DATA_PLANE: &str = "routing";
/// What the operator is called; its own pods have it as their name label.
pub const OPERATOR: &str = "routing-operator";
/// Annotation: which policy made it, so that an object whose owner reference was removed is still known.
pub const POLICY_UID: &str = "routing.hyperguild.io/policy-uid";

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// The labels that pods are selected by.
#[must_use]
pub fn selector(policy: &str) -> BTreeMap<String, String> {
    labels(&[(NAME, DATA_PLANE), (INSTANCE, policy)])
}

/// The selector as a Deployment wants it.
#[must_use]
pub fn label_selector(policy: &str) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(policy)), ..LabelSelector::default() }
}

/// The selector in one line.
#[must_use]
pub fn selector_text(policy: &str) -> String {
    format!("{NAME}={DATA_PLANE},{INSTANCE}={policy}")
}

/// What the operator watches.
#[must_use]
pub fn managed() -> String {
    format!("{MANAGED_BY}={OPERATOR}")
}

/// Labels of a pod: the policy's own first, then those that must hold.
#[must_use]
pub fn of_pod(policy: &RoutingPolicy) -> BTreeMap<String, String> {
    let name = policy.name_any();
    let mut all = policy.spec.data_plane.pod_labels.clone();
    all.extend(selector(&name));
    all.extend(labels(&[(APP, &name), (MANAGED_BY, OPERATOR)]));
    all
}

/// Metadata of a child.
#[must_use]
pub fn metadata(policy: &RoutingPolicy, name: &str) -> ObjectMeta {
    let mut all = selector(&policy.name_any());
    all.extend(labels(&[(MANAGED_BY, OPERATOR)]));
    ObjectMeta {
        name: Some(name.into()),
        namespace: policy.namespace(),
        labels: Some(all),
        annotations: Some(labels(&[(POLICY_UID, policy.metadata.uid.as_deref().unwrap_or_default())])),
        owner_references: policy.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}
