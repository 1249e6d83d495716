//! Step 5, pure: what was observed, in the form that people, kubectl and Flux read.

mod brain;
mod conditions;
mod endpoint;
mod replicas;
mod savings;
mod skills;

use crds::{RoutingPolicy, policy::RoutingPolicyStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::{
    apply::Applied,
    labels,
    pods::PodView,
    validate::{Accepted, Invalid},
};

/// Everything that a status is computed from.
pub struct Observed<'a> {
    /// The policy as it was read.
    pub policy: &'a RoutingPolicy,
    /// What is known of the valid policy, or why it is refused.
    pub valid: Result<&'a Accepted, &'a Invalid>,
    /// The children, and why some are not as built.
    pub applied: &'a Applied,
    /// The hash of the config that the pods should run.
    pub target: Option<&'a str>,
    /// The pods that are not terminating.
    pub pods: &'a [PodView],
    /// The pods of its brain, if the operator runs it.
    pub brain_pods: &'a [PodView],
    /// Whether pass rates may be written again; a changed route is written in any case.
    pub skills_are_due: bool,
    /// Transition time of conditions whose status changes.
    pub now: Timestamp,
}

/// Computes the whole status of a policy.
#[must_use]
pub fn status(observed: &Observed<'_>) -> RoutingPolicyStatus {
    let policy = observed.policy;
    let replicas = replicas::counts(observed);
    let rollout = replicas::rollout(observed);
    let skills = skills::skills(observed);
    RoutingPolicyStatus {
        observed_generation: policy.metadata.generation,
        config_hash: observed.target.map(Into::into),
        endpoint: Some(endpoint::endpoint(observed)),
        selector: Some(labels::selector_text(&policy.name_any())),
        replicas: Some(replicas),
        brain: brain::brain(observed),
        conditions: conditions::conditions(observed, replicas, &rollout, &skills),
        skills,
        savings: savings::savings(observed),
    }
}

/// Truncated to whole seconds, the precision that the API server keeps.
pub(super) fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
