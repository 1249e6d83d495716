//! Whether the brain that the operator runs serves.

use crds::policy::Reason;

use super::Finding;
use crate::controller::{
    build,
    status::{Observed, brain},
};

/// Whether its pods serve; none: the operator runs none.
pub(super) fn ready(observed: &Observed<'_>) -> Option<Finding> {
    let managed = build::brain::managed(observed.policy)?;
    let status = brain::brain(observed)?;
    if !brain::exists(observed, managed) {
        return Some(Finding::fails(Reason::Progressing, "the brain has not been created yet"));
    }
    if status.replicas == 0 {
        let message = "the brain is scaled to zero: it takes no outcomes and gives no pass rates";
        return Some(Finding::fails(Reason::ScaledToZero, message));
    }
    let counts = format!("{} of {} pods of the brain are ready", status.ready.min(status.replicas), status.replicas);
    if status.ready >= status.replicas {
        return Some(Finding::holds(Reason::BrainReady, counts));
    }
    let waiting = observed.brain_pods.iter().find_map(|pod| Some((&pod.name, pod.waiting.as_ref()?)));
    Some(match waiting {
        Some((pod, why)) => Finding::fails(Reason::PodNotRunning, format!("{counts}; pod {pod}: {why}")),
        None => Finding::fails(Reason::Progressing, counts),
    })
}
