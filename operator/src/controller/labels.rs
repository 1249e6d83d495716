//! Names that tie objects to their policy, and the operator to what it writes. The selector never changes: Kubernetes does
//! not allow it.

use std::collections::BTreeMap;

use crds::RoutingPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Resource, ResourceExt, api::ObjectMeta};

use crate::settings;

/// Label: which application.
pub const APPLICATION: &str = "app.kubernetes.io/name";
/// Label: of which policy.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: what created it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of pods as in the plain manifests.
const APP: &str = "app";
/// What the data plane is called.
const DATA_PLANE: &str = "routing";
/// The operator, as the label of what it manages and of its own pods has it.
pub const OPERATOR: &str = settings::NAME;
/// Who set a field: server-side apply keeps the operator's apart from everyone else's.
pub const FIELD_MANAGER: &str = settings::NAME;
/// Annotation: which policy created it, so that an object whose owner reference was removed is still recognized.
pub const POLICY_UID: &str = "routing.hyperguild.io/policy-uid";

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// The labels that pods are selected by.
#[must_use]
pub fn selector(policy: &str) -> BTreeMap<String, String> {
    labels(&[(APPLICATION, DATA_PLANE), (INSTANCE, policy)])
}

/// The selector in the form of a Deployment's.
#[must_use]
pub fn label_selector(policy: &str) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(policy)), ..LabelSelector::default() }
}

/// The selector in one line.
#[must_use]
pub fn selector_text(policy: &str) -> String {
    format!("{APPLICATION}={DATA_PLANE},{INSTANCE}={policy}")
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
