//! Why a child is not as it is to be: the API server's refusals, sorted into reasons, apart from what may pass by itself.

use std::time::{Duration, Instant};

use crds::{field_error::printable, policy::Reason};
use kube::{Error, core::Status};

use super::{MESSAGE_MAX, child::ChildKey, pace};

/// A child that cannot be made what it is to be. Trying at once again does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The child.
    pub key: ChildKey,
    /// The reason of the conditions.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What an error of a write means.
pub enum Meaning {
    /// It is refused for this reason.
    Refused(Problem),
    /// The namespace is being deleted: nothing can be made in it, and nothing need be.
    NamespaceIsEnding,
    /// It may pass.
    Transient(Error),
}

/// Sorts an error of a write.
#[must_use]
pub fn meaning(key: &ChildKey, error: Error) -> Meaning {
    let Error::Api(status) = &error else { return Meaning::Transient(error) };
    if is_namespace_ending(status) {
        return Meaning::NamespaceIsEnding;
    }
    let Some((reason, cure)) = refusal(status) else { return Meaning::Transient(error) };
    let message = format!("{key}: {}; {cure}", printable(status.message.trim(), MESSAGE_MAX));
    Meaning::Refused(Problem { key: key.clone(), reason, message })
}

fn refusal(status: &Status) -> Option<(Reason, &'static str)> {
    let says = |text: &str| status.message.contains(text);
    let of_node_port = says("nodePort");
    match status.code {
        422 if of_node_port && says("already allocated") => {
            Some((Reason::NodePortTaken, "free it, or choose another spec.service.nodePort"))
        }
        422 if of_node_port && says("valid range") => {
            Some((Reason::NodePortOutOfRange, "choose a spec.service.nodePort in that range"))
        }
        403 if says("exceeded quota") => Some((Reason::QuotaExceeded, "raise the namespace's ResourceQuota")),
        403 => Some((Reason::Forbidden, "see the operator's ClusterRole, and what admission allows")),
        422 if says("field is immutable") => {
            Some((Reason::ChildInvalid, "it cannot become what it is to be: delete it, and it is made anew"))
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

/// A child that was refused: not sent again as it is until its time has come.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What was sent.
    pub body: u64,
    /// Why it was refused.
    pub problem: Problem,
    /// How often in a row.
    pub times: u32,
    /// When it is sent again.
    pub again_at: Instant,
}

impl Refused {
    /// A refusal of the same child again, or of a new one.
    #[must_use]
    pub fn after(previous: Option<&Self>, body: u64, problem: Problem) -> Self {
        let times = previous.filter(|earlier| earlier.body == body).map_or(1, |earlier| earlier.times + 1);
        let wait: Duration = pace::refusal_backoff(times);
        Self { body, problem, times, again_at: Instant::now() + wait }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::child::ChildKind;

    fn reason_of(code: u16, message: &str, causes: serde_json::Value) -> Option<&'static str> {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "x", "details": {"causes": causes}});
        let status: Status = serde_json::from_value(status).expect("a status");
        match meaning(&ChildKey::new(ChildKind::Service, "edge"), Error::Api(Box::new(status))) {
            Meaning::Refused(problem) => Some(problem.reason.as_str()),
            Meaning::NamespaceIsEnding => Some("ending"),
            Meaning::Transient(_) => None,
        }
    }

    #[test]
    fn each_refusal_has_its_reason_and_the_rest_is_tried_again() {
        let taken = "Service \"a\" is invalid: spec.ports[0].nodePort: Invalid value: 30310: provided port is already allocated";
        let range = "spec.ports[0].nodePort: Invalid value: 70: provided port is not in the valid range. The range of valid ports is 30000-32767";
        let quota = "services \"a\" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1";
        let ending =
            "configmaps \"a\" is forbidden: unable to create new content in namespace a because it is being terminated";
        let rows = [
            (422, taken, json!([]), Some("NodePortTaken")),
            (422, range, json!([]), Some("NodePortOutOfRange")),
            (
                422,
                "Deployment \"a\" is invalid: spec.selector: field is immutable",
                json!([]),
                Some("ChildInvalid"),
            ),
            (403, quota, json!([]), Some("QuotaExceeded")),
            (403, "deployments.apps is forbidden: User \"x\" cannot patch", json!([]), Some("Forbidden")),
            (403, ending, json!([{"reason": "NamespaceTerminating"}]), Some("ending")),
            (404, "namespaces \"a\" not found", json!([]), Some("ending")),
            (409, "the object has been modified", json!([]), None),
            (429, "too many requests", json!([]), None),
            (500, "etcd", json!([]), None),
        ];
        for (code, message, causes, expected) in rows {
            assert_eq!(reason_of(code, message, causes), expected, "{code} {message}");
        }
    }
}
