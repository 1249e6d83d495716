//! The reasons of conditions, and what follows from each. They are documented in `docs/status.md`; a test compares the
//! two.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Why a condition has its status. The names are API: people, alerts and scripts rely on them.
#[derive(EnumString, IntoStaticStr, VariantArray, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `Accepted`: the policy is valid.
    Accepted,
    /// The policy cannot be run as it is: the message names path and value.
    Invalid,
    /// The config is larger than a ConfigMap holds.
    TooLarge,
    /// `ResolvedRefs`: everything the policy refers to exists.
    ResolvedRefs,
    /// A ConfigMap or its key does not exist.
    ConfigMapMissing,
    /// A Secret or its key does not exist, or is empty.
    SecretMissing,
    /// No pod runs yet that could report which Secrets it has.
    NoPodAsked,
    /// `Programmed`: every pod runs the config.
    Programmed,
    /// `Ready`: every pod runs the config and serves.
    Ready,
    /// The policy has no replicas.
    ScaledToZero,
    /// The last change is refused; what ran keeps running.
    NotAccepted,
    /// Pods are being created or replaced.
    Progressing,
    /// Pods still run another config.
    ConfigPending,
    /// A pod refuses the config.
    ConfigRefused,
    /// A pod that is ready does not answer the operator.
    PodUnreachable,
    /// A pod does not start: no node, no image, or it fails again and again.
    PodNotRunning,
    /// The cluster refuses to create pods.
    PodsRefused,
    /// A quota of the namespace is used up.
    QuotaExceeded,
    /// An object with a child's name has no owner, or another one.
    NotOwned,
    /// A child of a deleted policy with the same name is still being garbage-collected.
    PreviousPolicy,
    /// The nodePort is in use.
    NodePortTaken,
    /// The nodePort is outside the cluster's range.
    NodePortOutOfRange,
    /// A request to the API server fails again and again, and is retried.
    ApiError,
    /// The API server or its admission forbids a child.
    Forbidden,
    /// The API server calls a child invalid.
    ChildInvalid,
    /// `Insecure`: callers need no token.
    NoToken,
    /// `UpstreamReachable`: the endpoints of all models answer.
    UpstreamReachable,
    /// A pod cannot reach the endpoint of a model.
    UpstreamUnreachable,
    /// The local model failed several times in a row, and a pod leaves it alone for a while.
    LocalCircuitOpen,
    /// No pod has reported yet whether the endpoints can be reached.
    UpstreamNotProbed,
    /// `BrainReady`: the pods of the managed brain serve.
    BrainReady,
    /// The claim of the managed brain cannot become as the policy says.
    StorageRefused,
    /// `EvidenceLocked`: skills below ceil get no outcome of the local model any more.
    NoLocalOutcomes,
    /// `Contested`: the operator corrected the same field after the same manager again and again.
    FieldContested,
    /// Of an event only: the calls of a skill go elsewhere.
    RouteChanged,
}

/// The two types of events in Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// All is well, or will be by itself.
    Normal,
    /// Someone should read it.
    Warning,
}

impl Reason {
    /// Every reason.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// As written in a condition and in an event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the policy stays as it is until someone acts: `Stalled` then, instead of `Reconciling`.
    #[must_use]
    pub fn stalls(self) -> bool {
        match self {
            Self::Invalid
            | Self::TooLarge
            | Self::ConfigMapMissing
            | Self::NotAccepted
            | Self::PodsRefused
            | Self::QuotaExceeded
            | Self::NotOwned
            | Self::NodePortTaken
            | Self::NodePortOutOfRange
            | Self::Forbidden
            | Self::StorageRefused
            | Self::ChildInvalid => true,
            Self::Accepted
            | Self::ResolvedRefs
            | Self::SecretMissing
            | Self::NoPodAsked
            | Self::Programmed
            | Self::Ready
            | Self::ScaledToZero
            | Self::Progressing
            | Self::ConfigPending
            | Self::ConfigRefused
            | Self::PodUnreachable
            | Self::PodNotRunning
            | Self::PreviousPolicy
            | Self::ApiError
            | Self::NoToken
            | Self::UpstreamReachable
            | Self::UpstreamUnreachable
            | Self::LocalCircuitOpen
            | Self::UpstreamNotProbed
            | Self::BrainReady
            | Self::NoLocalOutcomes
            | Self::FieldContested
            | Self::RouteChanged => false,
        }
    }

    /// The type of an event that reports this reason: `Normal` when all is well or only takes time.
    #[must_use]
    pub fn event_type(self) -> EventType {
        match self {
            Self::Accepted
            | Self::ResolvedRefs
            | Self::Programmed
            | Self::Ready
            | Self::ScaledToZero
            | Self::NoPodAsked
            | Self::Progressing
            | Self::ConfigPending
            | Self::PreviousPolicy
            | Self::UpstreamReachable
            | Self::UpstreamNotProbed
            | Self::BrainReady
            | Self::RouteChanged => EventType::Normal,
            Self::Invalid
            | Self::TooLarge
            | Self::ConfigMapMissing
            | Self::SecretMissing
            | Self::NotAccepted
            | Self::ConfigRefused
            | Self::PodUnreachable
            | Self::PodNotRunning
            | Self::PodsRefused
            | Self::QuotaExceeded
            | Self::NotOwned
            | Self::NodePortTaken
            | Self::NodePortOutOfRange
            | Self::ApiError
            | Self::Forbidden
            | Self::ChildInvalid
            | Self::StorageRefused
            | Self::NoToken
            | Self::UpstreamUnreachable
            | Self::LocalCircuitOpen
            | Self::NoLocalOutcomes
            | Self::FieldContested => EventType::Warning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_someone_to_act_is_never_a_normal_event() {
        for reason in Reason::ALL {
            assert!(!reason.stalls() || reason.event_type() == EventType::Warning, "{reason:?}");
        }
    }

    #[test]
    fn a_reason_is_written_as_it_is_named() {
        assert_eq!(
            (Reason::NodePortOutOfRange.as_str(), Reason::ResolvedRefs.as_str()),
            ("NodePortOutOfRange", "ResolvedRefs")
        );
    }
}
