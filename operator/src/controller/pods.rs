//! What is known about the pods: what the cluster reports about each, and what each reports about itself.

use std::{collections::BTreeMap, net::IpAddr};

use crds::{pod::PodStatus, shown::printable};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus as ClusterStatus};
use kube::ResourceExt;

use super::watched::OURS;
use crate::pod_status;

/// Pods that are queried at the same time.
const AT_ONCE: usize = 16;
/// Longest value of an annotation that is kept, in bytes, and most of them of one pod: the operator sets fewer and shorter
/// ones.
const ANNOTATION_MAX: usize = 512;
const ANNOTATIONS_MAX: usize = 8;
/// Reasons for waiting that every pod has while it starts.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// Longest message of the cluster about a pod that a status repeats, in characters.
const MESSAGE_MAX: usize = 300;

/// A pod that is not terminating.
#[derive(Clone, Debug, Default)]
pub struct PodView {
    /// As in `kubectl get pods`.
    pub name: String,
    /// Distinguishes it from an earlier pod with the same name.
    pub uid: String,
    /// The operator's annotations when it was listed: those of earlier nudges.
    pub annotations: BTreeMap<String, String>,
    /// Address of its node, once it is scheduled.
    pub host_ip: Option<IpAddr>,
    /// Its own address, while it runs.
    pub address: Option<IpAddr>,
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// What it waits for, if the cluster reports it: a node, an image, the next restart.
    pub waiting: Option<String>,
    /// What it reports about itself.
    pub report: PodReport,
}

/// What a pod reports about itself.
#[derive(Clone, Debug, Default)]
pub enum PodReport {
    /// It does not run yet, so it was not queried.
    #[default]
    NotRunning,
    /// It runs and did not answer: the reason.
    Unreachable(String),
    /// It answered with its `/status`.
    Says(Box<PodStatus>),
}

impl PodView {
    /// Its own `/status`, if it answered.
    #[must_use]
    pub fn status(&self) -> Option<&PodStatus> {
        if let PodReport::Says(status) = &self.report { Some(status) } else { None }
    }

    /// Why it did not answer, if it runs.
    #[must_use]
    pub fn unreachable(&self) -> Option<&str> {
        if let PodReport::Unreachable(why) = &self.report { Some(why) } else { None }
    }

    /// Whether it reports that it runs the config with this hash; false without a hash.
    #[must_use]
    pub fn runs(&self, hash: Option<&str>) -> bool {
        hash.is_some_and(|hash| self.status().is_some_and(|status| status.config_hash == hash))
    }
}

/// The pods of the policy's Deployment that are not terminating, as the cluster reports them.
#[must_use]
pub fn of_policy(policy: &str, pods: &[Pod]) -> Vec<PodView> {
    pods.iter().filter(|pod| is_wanted(policy, pod)).map(view).collect()
}

/// The pods of the policy's brain that are not terminating, as the cluster reports them. Sorted by name.
#[must_use]
pub fn of_brain(pods: &[Pod]) -> Vec<PodView> {
    sorted(pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(view).collect())
}

/// Asks every pod that runs what it reports about itself. Sorted by name.
pub async fn query(client: &reqwest::Client, pods: Vec<PodView>) -> Vec<PodView> {
    let queried = pods.into_iter().map(|mut pod| async move {
        if let Some(ip) = pod.address {
            let status = pod_status::get(client, ip).await.map(Box::new);
            pod.report = status.map_or_else(PodReport::Unreachable, PodReport::Says);
        }
        pod
    });
    sorted(stream::iter(queried).buffer_unordered(AT_ONCE).collect().await)
}

fn sorted(mut pods: Vec<PodView>) -> Vec<PodView> {
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}

/// Number of pods that run and did not answer.
#[must_use]
pub fn unreachable(pods: &[PodView]) -> u64 {
    pods.iter().filter(|pod| pod.unreachable().is_some()).count() as u64
}

/// Not terminating, and of the policy's Deployment: any pod can have its labels.
fn is_wanted(policy: &str, pod: &Pod) -> bool {
    let replica_set = pod.labels().get("pod-template-hash").map(|hash| format!("{policy}-{hash}"));
    let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
    let of_deployment =
        controller.is_some_and(|owner| owner.kind == "ReplicaSet" && Some(&owner.name) == replica_set.as_ref());
    of_deployment && pod.metadata.deletion_timestamp.is_none()
}

fn running_at(status: &ClusterStatus) -> Option<IpAddr> {
    let ip = status.pod_ip.as_ref().filter(|_| status.phase.as_deref() == Some("Running"))?;
    ip.parse().ok()
}

fn view(pod: &Pod) -> PodView {
    let status = pod.status.clone().unwrap_or_default();
    PodView {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        annotations: ours(pod.annotations()),
        host_ip: status.host_ip.as_ref().and_then(|ip| ip.parse().ok()),
        address: running_at(&status),
        ready: has_condition(&status, "Ready", "True"),
        waiting: waiting(&status).map(|why| printable(&why, MESSAGE_MAX)),
        report: PodReport::NotRunning,
    }
}

/// Only those that the operator sets: anyone who may change a pod can give it many.
fn ours(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = annotations.iter().filter(|(name, value)| name.starts_with(OURS) && value.len() <= ANNOTATION_MAX);
    ours.take(ANNOTATIONS_MAX).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn has_condition(status: &ClusterStatus, kind: &str, value: &str) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == kind && condition.status == value)
}

/// Why a pod does not run: no node fits, an image does not exist, the program keeps exiting.
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

    fn view_of(status: Value) -> PodView {
        let pod = json!({"metadata": {"name": "p", "uid": "u"}, "status": status});
        view(&serde_json::from_value(pod).expect("a pod"))
    }

    #[test]
    fn what_a_pod_waits_for_is_reported() {
        let unschedulable = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]});
        assert_eq!(view_of(unschedulable).waiting.as_deref(), Some("Unschedulable: 0/1 nodes are available"));
        let container = |state: Value, last: Value| json!({"phase": "Pending", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state, "lastState": last}]});
        let pull = container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}), json!({}));
        assert_eq!(view_of(pull).waiting.as_deref(), Some("ErrImagePull: not found"));
        let crash =
            container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 1}}));
        assert_eq!(view_of(crash).waiting.as_deref(), Some("CrashLoopBackOff: exit code 1"));
        assert_eq!(view_of(json!({"phase": "Running"})).waiting, None);
        let starts = container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}));
        assert_eq!(view_of(starts).waiting, None, "every pod goes through this");
    }
}
