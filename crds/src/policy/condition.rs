//! The conditions of a policy: their types, their statuses, and how to find one. Those that are present only while true
//! are abnormal (kstatus).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use strum::IntoStaticStr;

use super::RoutingPolicyStatus;

/// The policy is valid and, with the texts it refers to, a config.
pub const ACCEPTED: &str = "Accepted";
/// What the policy refers to exists: ConfigMaps, and Secrets as the pods see them.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Every pod runs the config.
pub const PROGRAMMED: &str = "Programmed";
/// All of the above, and the desired number of pods serves.
pub const READY: &str = "Ready";
/// The endpoints of the models answer the pods. For people and alerts only: nothing else depends on it.
pub const UPSTREAM_REACHABLE: &str = "UpstreamReachable";
/// Present only with a managed brain: its pods serve. For people and alerts only: nothing else depends on it.
pub const BRAIN_READY: &str = "BrainReady";
/// Present only while true: a change is in progress.
pub const RECONCILING: &str = "Reconciling";
/// Present only while true: action is needed.
pub const STALLED: &str = "Stalled";
/// Present only while true: callers need no token.
pub const INSECURE: &str = "Insecure";
/// Present only while true: skills below ceil get no outcome of the local model any more.
pub const EVIDENCE_LOCKED: &str = "EvidenceLocked";
/// Present only while true: somebody else keeps changing what the operator sets.
pub const CONTESTED: &str = "Contested";

/// Whether the statement of a condition is true.
#[derive(IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It is true.
    True,
    /// It is not true.
    False,
    /// Not enough is known.
    Unknown,
}

impl ConditionStatus {
    /// As written in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl RoutingPolicyStatus {
    /// The condition of this type, if present.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// Whether the condition of this type is present and true.
    #[must_use]
    pub fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == ConditionStatus::True.as_str())
    }
}
