//! The Deployment that runs the pods.

use crds::RoutingPolicy;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{ResourceExt, api::ObjectMeta};

use super::pod;
use crate::controller::{labels, validate::Valid};

/// Old ReplicaSets that are kept for inspection; the operator reverts a `kubectl rollout undo`.
pub(super) const HISTORY: i32 = 3;

/// The Deployment. Its replicas are always set; to change them, use `kubectl scale rp`.
#[must_use]
pub fn deployment(policy: &RoutingPolicy, valid: &Valid, image: &str) -> Deployment {
    let name = policy.name_any();
    Deployment {
        metadata: labels::metadata(policy, &name),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::from(policy.spec.data_plane.replicas)),
            revision_history_limit: Some(HISTORY),
            selector: labels::label_selector(&name),
            strategy: Some(strategy()),
            template: template(policy, valid, image),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// A new pod must serve before an old one is removed.
pub(super) fn strategy() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

fn template(policy: &RoutingPolicy, valid: &Valid, image: &str) -> PodTemplateSpec {
    let annotations = &policy.spec.data_plane.pod_annotations;
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels::of_pod(policy)),
            annotations: (!annotations.is_empty()).then(|| annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod::pod_spec(policy, valid, image)),
    }
}
