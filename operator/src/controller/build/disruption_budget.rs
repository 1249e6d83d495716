//! How many pods may be unavailable at once while nodes are drained.

use crds::RoutingPolicy;
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::{ResourceExt, api::ObjectMeta};

use crate::controller::labels;

/// With several pods, one may be unavailable. With one pod there is no budget: it would block every drain.
#[must_use]
pub fn disruption_budget(policy: &RoutingPolicy) -> Option<PodDisruptionBudget> {
    let name = policy.name_any();
    (policy.spec.data_plane.replicas > 1)
        .then(|| budget(labels::metadata(policy, &name), labels::label_selector(&name)))
}

/// Of the pods that the selector finds, one may be unavailable.
pub(super) fn budget(metadata: ObjectMeta, selector: LabelSelector) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata,
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(selector),
            // A pod that does not serve must not block a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
