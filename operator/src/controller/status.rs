//! Step 5, pure until it is patched: what the look found, in the form that people, kubectl and Flux read.

mod conditions;
mod endpoint;
mod replicas;
mod report;
mod skills;

use crds::{RoutingPolicy, policy::RoutingPolicyStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::{
    apply::Applied,
    ask::PodView,
    build::{config_map, labels},
    child::{ChildKey, ChildKind},
    validate::{Invalid, Valid},
};

pub use report::{report, report_undecodable};

/// Everything that a status is made of.
pub struct Observed<'a> {
    /// The policy as it was read.
    pub policy: &'a RoutingPolicy,
    /// What it compiled to, or why it did not.
    pub valid: Result<&'a Valid, &'a Invalid>,
    /// The children.
    pub applied: &'a Applied,
    /// The config that the pods are to run.
    pub wanted: Option<&'a str>,
    /// The pods that are not ending.
    pub pods: &'a [PodView],
    /// Whether pass rates may be brought up to date.
    pub skills_are_due: bool,
    /// Now.
    pub now: Timestamp,
}

/// The hash of the config that the pods are to run: the newest that reached the ConfigMap.
#[must_use]
pub fn wanted_hash(policy: &RoutingPolicy, valid: Option<&Valid>, applied: &Applied) -> Option<String> {
    let config_map = applied.objects.get(&ChildKey::new(ChildKind::ConfigMap, policy.name_any()));
    let written = config_map.and_then(|object| object.data.get("data")?.get(config_map::POLICY)?.as_str());
    match valid {
        Some(valid) if written == Some(valid.rendered.text.as_str()) => Some(valid.rendered.hash.clone()),
        _ => policy.status.as_ref().and_then(|status| status.config_hash.clone()),
    }
}

/// The status of a policy.
#[must_use]
pub fn status(observed: &Observed<'_>) -> RoutingPolicyStatus {
    let policy = observed.policy;
    let replicas = replicas::counts(observed);
    RoutingPolicyStatus {
        observed_generation: policy.metadata.generation,
        config_hash: observed.wanted.map(Into::into),
        endpoint: Some(endpoint::endpoint(observed)),
        selector: Some(labels::selector_text(&policy.name_any())),
        replicas: Some(replicas),
        skills: skills::skills(observed),
        conditions: conditions::conditions(observed, replicas),
    }
}

#[cfg(test)]
mod tests;
