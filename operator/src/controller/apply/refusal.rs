//! Why a child is not as built: sorts the API server's refusals into reasons, apart from failures that may pass.

use std::time::{Duration, Instant};

use crds::{policy::Reason, shown::printable};
use kube::{Error, core::Status};

use crate::controller::{
    backoff::doubled,
    child::{ChildKey, ChildKind},
    error::MESSAGE_MAX,
};

/// The first and the longest wait before a refused child is sent again: 5 s, 10 s, 20 s, … 5 min.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// A child that is not as built. Retrying at once does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Kind and name of the child.
    pub key: ChildKey,
    /// The reason that the conditions give.
    pub reason: Reason,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// What a failed write means.
pub enum WriteError {
    /// The API server refused it, and will again until something changes.
    Refused(Problem),
    /// The namespace is being deleted: nothing can be created in it, and nothing needs to be.
    NamespaceIsEnding,
    /// It may pass: the reconciliation is retried.
    Transient(Error),
}

/// Sorts a failed write by what to do about it.
#[must_use]
pub fn classify(key: &ChildKey, error: Error) -> WriteError {
    let Error::Api(status) = &error else { return WriteError::Transient(error) };
    if is_namespace_ending(status) {
        return WriteError::NamespaceIsEnding;
    }
    let Some((reason, cure)) = refusal(key, status) else { return WriteError::Transient(error) };
    let message = format!("{key} was refused: {}; {cure}", printable(status.message.trim(), MESSAGE_MAX));
    WriteError::Refused(Problem { key: key.clone(), reason, message })
}

fn refusal(key: &ChildKey, status: &Status) -> Option<(Reason, &'static str)> {
    let says = |text: &str| status.message.contains(text);
    let of_node_port = says("nodePort");
    // The data plane's Service of this name has no nodePort.
    let of_brain = key.name.ends_with("-brain");
    match status.code {
        422 if of_node_port && says("already allocated") => Some((
            Reason::NodePortTaken,
            if of_brain {
                "free the port, or choose another spec.brain.managed.nodePort"
            } else {
                "free the port, or choose another spec.service.nodePort"
            },
        )),
        422 if of_node_port && says("valid range") => Some((
            Reason::NodePortOutOfRange,
            if of_brain {
                "choose a spec.brain.managed.nodePort in that range"
            } else {
                "choose a spec.service.nodePort in that range"
            },
        )),
        403 | 422 if key.kind == ChildKind::PersistentVolumeClaim && !says("exceeded quota") => Some((
            Reason::StorageRefused,
            "set spec.brain.managed.storage to what the claim has, or let it grow: it must be bound, and its StorageClass \
             have allowVolumeExpansion: true",
        )),
        403 if says("exceeded quota") => Some((Reason::QuotaExceeded, "raise the namespace's ResourceQuota")),
        403 => Some((Reason::Forbidden, "check the operator's ClusterRole and the cluster's admission policies")),
        422 if says("field is immutable") => {
            Some((Reason::ChildInvalid, "it cannot be changed in place: delete it and the operator recreates it"))
        }
        400 | 422 => Some((Reason::ChildInvalid, "correct the field of spec that it comes from")),
        _ => None,
    }
}

fn is_namespace_ending(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
        || (status.code == 404 && status.message.starts_with("namespaces "))
}

/// A child that was refused: the same body is not sent again before `again_at`.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Fingerprint of what was sent.
    pub body: u64,
    /// The refusal, with its reason and what to do about it.
    pub problem: Problem,
    /// How often this body was refused in a row.
    pub times: u32,
    /// When this body may be sent again.
    pub again_at: Instant,
}

impl Refused {
    /// The refusal after `previous`: if the body is the same, the wait doubles, otherwise it starts over.
    #[must_use]
    pub fn after(previous: Option<&Self>, body: u64, problem: Problem, now: Instant) -> Self {
        let times =
            previous.filter(|earlier| earlier.body == body).map_or(1, |earlier| earlier.times.saturating_add(1));
        let (first, max) = RETRY;
        Self { body, problem, times, again_at: now + doubled(first, times, max) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::child::ChildKind;

    fn reason_of(code: u16, message: &str, causes: serde_json::Value) -> Option<&'static str> {
        refused(&ChildKey::new(ChildKind::Service, "edge"), code, message, causes).map(|(reason, _)| reason)
    }

    fn refused(key: &ChildKey, code: u16, message: &str, causes: serde_json::Value) -> Option<(&'static str, String)> {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "x", "details": {"causes": causes}});
        let status: Status = serde_json::from_value(status).expect("a status");
        match classify(key, Error::Api(Box::new(status))) {
            WriteError::Refused(problem) => Some((problem.reason.as_str(), problem.message)),
            WriteError::NamespaceIsEnding => Some(("terminating", String::new())),
            WriteError::Transient(_) => None,
        }
    }

    #[test]
    fn each_refusal_has_its_reason_and_other_failures_are_retried() {
        let taken = "Service \"a\" is invalid: spec.ports[0].nodePort: Invalid value: 30310: provided port is already allocated";
        let range = "spec.ports[0].nodePort: Invalid value: 70: provided port is not in the valid range. The range of valid ports is 30000-32767";
        let quota = "services \"a\" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1";
        let ending =
            "configmaps \"a\" is forbidden: unable to create new content in namespace a because it is being terminated";
        let rows = [
            (422, taken, json!([]), Some("NodePortTaken")),
            (422, range, json!([]), Some("NodePortOutOfRange")),
            (422, "Deployment \"a\" is invalid: spec.selector: field is immutable", json!([]), Some("ChildInvalid")),
            (403, quota, json!([]), Some("QuotaExceeded")),
            (403, "deployments.apps is forbidden: User \"x\" cannot patch", json!([]), Some("Forbidden")),
            (403, ending, json!([{"reason": "NamespaceTerminating"}]), Some("terminating")),
            (404, "namespaces \"a\" not found", json!([]), Some("terminating")),
            (409, "the object has been modified", json!([]), None),
            (429, "too many requests", json!([]), None),
            (500, "etcd", json!([]), None),
        ];
        for (code, message, causes, expected) in rows {
            assert_eq!(reason_of(code, message, causes), expected, "{code} {message}");
        }
    }

    #[test]
    fn the_cure_names_the_field_of_the_brain() {
        let said = |kind, name: &str, code, message: &str| {
            refused(&ChildKey::new(kind, name), code, message, json!([])).expect("a refusal")
        };
        let taken = "spec.ports[0].nodePort: Invalid value: 30330: provided port is already allocated";
        let (reason, message) = said(ChildKind::Service, "edge-brain", 422, taken);
        assert!(reason == "NodePortTaken" && message.ends_with("another spec.brain.managed.nodePort"), "{message}");
        let fixed = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        for code in [403, 422] {
            let (reason, message) = said(ChildKind::PersistentVolumeClaim, "data-edge-brain-0", code, fixed);
            assert!(reason == "StorageRefused" && message.contains("allowVolumeExpansion"), "{message}");
        }
    }
}
