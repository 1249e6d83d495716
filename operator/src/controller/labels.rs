//! Labels and annotations that connect objects with their policy, and the operator with what it writes. The selector
//! never changes: Kubernetes does not allow it.

use std::collections::BTreeMap;

use crds::RoutingPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Resource, ResourceExt, api::ObjectMeta};

use crate::settings;

/// Label: the application, `routing` on the objects of a policy.
pub const APPLICATION: &str = "app.kubernetes.io/name";
/// Label: the policy's name.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label: the program that manages the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label of pods: the policy's name, under the key that the plain manifests use.
const APP: &str = "app";
/// Value of [`APPLICATION`] on the objects of a policy.
const DATA_PLANE: &str = "routing";
/// Value of [`APPLICATION`] on the objects of a policy's brain: another, so that nothing that selects the data plane's
/// pods finds the brain's.
const BRAIN: &str = "routing-brain";
/// Value of [`MANAGED_BY`] on what the operator manages, and of [`APPLICATION`] on its own pods.
pub const OPERATOR: &str = settings::NAME;
/// Field manager: server-side apply keeps the operator's fields apart from those of others.
pub const FIELD_MANAGER: &str = settings::NAME;
/// Annotation: UID of the object's policy, so that an object whose owner reference was removed is still recognized.
pub const POLICY_UID: &str = "routing.hyperguild.io/policy-uid";

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// The labels by which Deployment, Services and others select the pods of a policy.
#[must_use]
pub fn selector(policy: &str) -> BTreeMap<String, String> {
    labels(&[(APPLICATION, DATA_PLANE), (INSTANCE, policy)])
}

/// The selector in the form that a Deployment needs.
#[must_use]
pub fn label_selector(policy: &str) -> LabelSelector {
    as_selector(selector(policy))
}

/// Labels that an object must have, in the form that a Deployment needs.
#[must_use]
pub fn as_selector(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// The labels by which the objects of a policy's brain select its pods.
#[must_use]
pub fn brain_selector(policy: &str) -> BTreeMap<String, String> {
    labels(&[(APPLICATION, BRAIN), (INSTANCE, policy)])
}

/// The brain's selector as text, for lists of pods.
#[must_use]
pub fn brain_selector_text(policy: &str) -> String {
    format!("{APPLICATION}={BRAIN},{INSTANCE}={policy}")
}

/// Labels of what belongs to a policy's brain: its objects, its pods and its claim.
#[must_use]
pub fn of_brain(policy: &str) -> BTreeMap<String, String> {
    labels(&[(APPLICATION, BRAIN), (INSTANCE, policy), (MANAGED_BY, OPERATOR)])
}

/// The selector as text, `name=value,name=value`: for lists of pods, and for the status.
#[must_use]
pub fn selector_text(policy: &str) -> String {
    format!("{APPLICATION}={DATA_PLANE},{INSTANCE}={policy}")
}

/// Label selector of the objects that the operator watches, as text.
#[must_use]
pub fn managed() -> String {
    format!("{MANAGED_BY}={OPERATOR}")
}

/// Labels of a pod: the policy's `podLabels`, overridden by those that the operator needs.
#[must_use]
pub fn of_pod(policy: &RoutingPolicy) -> BTreeMap<String, String> {
    let name = policy.name_any();
    let mut all = policy.spec.data_plane.pod_labels.clone();
    all.extend(selector(&name));
    all.extend(labels(&[(APP, &name), (MANAGED_BY, OPERATOR)]));
    all
}

/// Metadata of a child: name, labels, annotation, and the policy as its controller.
#[must_use]
pub fn metadata(policy: &RoutingPolicy, name: &str) -> ObjectMeta {
    let mut all = selector(&policy.name_any());
    all.extend(labels(&[(MANAGED_BY, OPERATOR)]));
    labelled(policy, name, all)
}

/// Metadata of a child that is part of the policy's brain.
#[must_use]
pub fn brain_metadata(policy: &RoutingPolicy, name: &str) -> ObjectMeta {
    labelled(policy, name, of_brain(&policy.name_any()))
}

fn labelled(policy: &RoutingPolicy, name: &str, all: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: policy.namespace(),
        labels: Some(all),
        annotations: Some(labels(&[(POLICY_UID, policy.metadata.uid.as_deref().unwrap_or_default())])),
        owner_references: policy.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}
