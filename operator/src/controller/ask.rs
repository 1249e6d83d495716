//! What the pods say: the cluster about them, and each about itself.

use std::{collections::BTreeMap, net::IpAddr};

use crds::field_error::printable;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus as ClusterStatus};
use kube::ResourceExt;

use super::Context;
use crate::pod_status::{self, PodStatus};

/// Pods that are asked at the same time.
const AT_ONCE: usize = 16;
/// What every pod goes through.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// Longest message about a pod that is repeated, in characters.
const MESSAGE_MAX: usize = 300;

/// A pod that is not ending.
#[derive(Clone, Debug, Default)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its node's address.
    pub host_ip: Option<IpAddr>,
    /// Whether the cluster says that it is ready.
    pub ready: bool,
    /// What it waits for, if the cluster says so.
    pub waiting: Option<String>,
    /// What it says about itself, or why it does not; none: it does not run yet.
    pub answer: Option<Result<PodStatus, String>>,
}

impl PodView {
    /// What it says about itself.
    #[must_use]
    pub fn status(&self) -> Option<&PodStatus> {
        self.answer.as_ref()?.as_ref().ok()
    }

    /// Whether it runs this config.
    #[must_use]
    pub fn runs(&self, hash: Option<&str>) -> bool {
        hash.is_some_and(|hash| self.status().is_some_and(|status| status.config_hash == hash))
    }
}

/// Asks every pod that is not ending.
pub async fn ask(context: &Context, policy: &str, pods: Vec<Pod>) -> Vec<PodView> {
    let asked = pods.into_iter().filter(|pod| is_wanted(policy, pod)).map(|pod| async move {
        let mut view = view(&pod);
        if let Some(ip) = running_at(&pod) {
            let answer = pod_status::ask(&context.pods, ip).await;
            if answer.is_err() {
                context.metrics.pod_unreachable();
            }
            view.answer = Some(answer);
        }
        view
    });
    let mut views: Vec<PodView> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    views.sort_by(|a, b| a.name.cmp(&b.name));
    views
}

/// Not ending, and of the policy's Deployment: labels alone can be anybody's.
fn is_wanted(policy: &str, pod: &Pod) -> bool {
    let replica_set = pod.labels().get("pod-template-hash").map(|hash| format!("{policy}-{hash}"));
    let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
    let of_deployment =
        controller.is_some_and(|owner| owner.kind == "ReplicaSet" && Some(&owner.name) == replica_set.as_ref());
    of_deployment && pod.metadata.deletion_timestamp.is_none()
}

fn running_at(pod: &Pod) -> Option<IpAddr> {
    let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Running"))?;
    status.pod_ip.as_ref()?.parse().ok()
}

fn view(pod: &Pod) -> PodView {
    let status = pod.status.clone().unwrap_or_default();
    PodView {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        annotations: pod.annotations().clone(),
        host_ip: status.host_ip.as_ref().and_then(|ip| ip.parse().ok()),
        ready: has_condition(&status, "Ready", "True"),
        waiting: waiting(&status).map(|why| printable(&why, MESSAGE_MAX)),
        answer: None,
    }
}

fn has_condition(status: &ClusterStatus, kind: &str, value: &str) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == kind && condition.status == value)
}

/// Why a pod does not run: no node takes it, an image is not there, the program ends again and again.
fn waiting(status: &ClusterStatus) -> Option<String> {
    let of_container = status.container_statuses.iter().flatten().find_map(container_waits);
    of_container.or_else(|| {
        let conditions = status.conditions.iter().flatten();
        let unscheduled = conditions.into_iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        Some(both(unscheduled.reason.as_deref(), unscheduled.message.as_deref()))
    })
}

fn container_waits(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    if waiting.reason.as_deref().is_some_and(|reason| STARTING.contains(&reason)) && waiting.message.is_none() {
        return None;
    }
    let last_end = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let message = waiting.message.clone().or_else(|| last_end.map(|end| format!("exit code {}", end.exit_code)));
    Some(both(waiting.reason.as_deref(), message.as_deref()))
}

fn both(reason: Option<&str>, message: Option<&str>) -> String {
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (reason, message) => reason.or(message).unwrap_or("waiting").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: Value) -> PodView {
        let pod = json!({"metadata": {"name": "p", "uid": "u"}, "status": status});
        view(&serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn a_pod_says_what_it_waits_for() {
        let unschedulable = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]});
        assert_eq!(seen(unschedulable).waiting.as_deref(), Some("Unschedulable: 0/1 nodes are available"));
        let container = |state: Value, last: Value| json!({"phase": "Pending", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state, "lastState": last}]});
        let pull = container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}), json!({}));
        assert_eq!(seen(pull).waiting.as_deref(), Some("ErrImagePull: not found"));
        let crash =
            container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 1}}));
        assert_eq!(seen(crash).waiting.as_deref(), Some("CrashLoopBackOff: exit code 1"));
        assert_eq!(seen(json!({"phase": "Running"})).waiting, None);
        let starts = container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}));
        assert_eq!(seen(starts).waiting, None, "every pod does");
    }
}
