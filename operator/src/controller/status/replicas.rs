//! How many pods there are, and what the Deployment reports about them.

use crds::policy::ReplicaCounts;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use kube::ResourceExt;

use super::Observed;
use crate::controller::{
    child::{ChildKey, ChildKind},
    pods::PodView,
};

/// Counts the pods that exist, are ready, and run the target config.
pub(super) fn counts(observed: &Observed<'_>) -> ReplicaCounts {
    let count = |which: &dyn Fn(&&PodView) -> bool| {
        u32::try_from(observed.pods.iter().filter(which).count()).unwrap_or(u32::MAX)
    };
    ReplicaCounts {
        desired: u32::from(observed.policy.spec.data_plane.replicas),
        current: count(&|_| true),
        ready: count(&|pod| pod.ready),
        programmed: count(&|pod| pod.runs(observed.target)),
    }
}

/// Progress of the Deployment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rollout {
    /// Why pods cannot be created: the message of the Deployment's condition `ReplicaFailure`.
    pub refused: Option<String>,
    /// What it still waits for, if anything.
    pub waiting: Option<String>,
}

/// Progress of the Deployment; without one there is nothing to wait for.
pub(super) fn rollout(observed: &Observed<'_>) -> Rollout {
    let key = ChildKey::new(ChildKind::Deployment, observed.policy.name_any());
    let object = observed.applied.objects.get(&key).cloned();
    let deployment: Option<Deployment> = object.and_then(|object| object.try_parse().ok());
    deployment.as_ref().map(progress).unwrap_or_default()
}

fn progress(deployment: &Deployment) -> Rollout {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let refused = failure(&status);
    if status.observed_generation < deployment.metadata.generation {
        return Rollout { refused, waiting: Some("the Deployment has not been observed yet".into()) };
    }
    let [updated, total, available] =
        [status.updated_replicas, status.replicas, status.available_replicas].map(Option::unwrap_or_default);
    let waiting = if updated < wanted {
        Some(format!("{updated} of {wanted} pods are updated"))
    } else if total > updated {
        let old = total - updated;
        Some(format!("waiting for {old} old pod{} to terminate", if old == 1 { "" } else { "s" }))
    } else if available < wanted {
        Some(format!("{available} of {wanted} pods are available"))
    } else {
        None
    };
    Rollout { refused, waiting }
}

fn failure(status: &DeploymentStatus) -> Option<String> {
    let failed = |kind: &str| kind == "ReplicaFailure";
    let condition = status.conditions.iter().flatten().find(|c| failed(&c.type_) && c.status == "True")?;
    Some(condition.message.clone().unwrap_or_else(|| "no reason is given".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn waiting(replicas: i32, status: Value) -> Option<String> {
        let object = json!({"metadata": {"generation": 2}, "spec": {"replicas": replicas, "selector": {}, "template": {}}, "status": status});
        progress(&serde_json::from_value(object).expect("a Deployment")).waiting
    }

    #[test]
    fn a_rollout_is_complete_when_only_updated_pods_remain_and_all_serve() {
        let status = |observed: i64, updated: i32, total: i32, available: i32| json!({"observedGeneration": observed, "updatedReplicas": updated, "replicas": total, "availableReplicas": available});
        assert_eq!(waiting(2, status(2, 2, 2, 2)), None);
        assert_eq!(waiting(0, json!({"observedGeneration": 2})), None);
        for (status, said) in [
            (status(1, 2, 2, 2), "the Deployment has not been observed yet"),
            (status(2, 1, 2, 2), "1 of 2 pods are updated"),
            (status(2, 2, 3, 3), "waiting for 1 old pod to terminate"),
            (status(2, 2, 4, 3), "waiting for 2 old pods to terminate"),
            (status(2, 2, 2, 1), "1 of 2 pods are available"),
        ] {
            assert_eq!(waiting(2, status).as_deref(), Some(said));
        }
    }
}
