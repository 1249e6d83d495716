//! The reasons of conditions. Each is documented in `docs/operator.md`; a test holds the two together.

/// Accepted: the policy is valid.
pub const ACCEPTED: &str = "Accepted";
/// The policy cannot be run as it is: the message names path and value.
pub const INVALID: &str = "Invalid";
/// The config is larger than a ConfigMap holds.
pub const TOO_LARGE: &str = "TooLarge";
/// ResolvedRefs: everything is there.
pub const RESOLVED: &str = "ResolvedRefs";
/// A ConfigMap or its key is not there.
pub const CONFIG_MAP_MISSING: &str = "ConfigMapMissing";
/// A Secret or its key is not there, or empty.
pub const SECRET_MISSING: &str = "SecretMissing";
/// No pod runs yet that could say which Secrets it has.
pub const NO_POD_ASKED: &str = "NoPodAsked";
/// Programmed: every pod runs the config.
pub const PROGRAMMED: &str = "Programmed";
/// Ready: every pod runs the config and serves.
pub const READY: &str = "Ready";
/// No pod is asked for.
pub const SCALED_TO_ZERO: &str = "ScaledToZero";
/// The last change is refused; what ran keeps running.
pub const NOT_ACCEPTED: &str = "NotAccepted";
/// Pods are being made or replaced.
pub const PROGRESSING: &str = "Progressing";
/// Pods still run another config.
pub const CONFIG_PENDING: &str = "ConfigPending";
/// A pod refuses the config.
pub const CONFIG_REFUSED: &str = "ConfigRefused";
/// A pod that is ready does not answer the operator.
pub const POD_UNREACHABLE: &str = "PodUnreachable";
/// A pod does not start: no node, no image, or it ends again and again.
pub const POD_NOT_RUNNING: &str = "PodNotRunning";
/// The cluster refuses to make pods.
pub const PODS_REFUSED: &str = "PodsRefused";
/// A quota of the namespace is used up.
pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
/// An object under a child's name belongs to somebody else.
pub const NOT_OWNED: &str = "NotOwned";
/// A child of the deleted policy of this name is still there.
pub const PREVIOUS_POLICY: &str = "PreviousPolicy";
/// The nodePort is taken.
pub const NODE_PORT_TAKEN: &str = "NodePortTaken";
/// The nodePort is not one that the cluster gives out.
pub const NODE_PORT_OUT_OF_RANGE: &str = "NodePortOutOfRange";
/// A request to the API server fails again and again, and is tried again.
pub const API_ERROR: &str = "ApiError";
/// The API server or its admission forbids a child.
pub const FORBIDDEN: &str = "Forbidden";
/// The API server calls a child invalid.
pub const CHILD_INVALID: &str = "ChildInvalid";
/// No token is asked for.
pub const NO_TOKEN: &str = "NoToken";

/// All of them.
pub const ALL: [&str; 26] = [
    ACCEPTED,
    INVALID,
    TOO_LARGE,
    RESOLVED,
    CONFIG_MAP_MISSING,
    SECRET_MISSING,
    NO_POD_ASKED,
    PROGRAMMED,
    READY,
    SCALED_TO_ZERO,
    NOT_ACCEPTED,
    PROGRESSING,
    CONFIG_PENDING,
    CONFIG_REFUSED,
    POD_UNREACHABLE,
    POD_NOT_RUNNING,
    PODS_REFUSED,
    QUOTA_EXCEEDED,
    NOT_OWNED,
    PREVIOUS_POLICY,
    NODE_PORT_TAKEN,
    NODE_PORT_OUT_OF_RANGE,
    API_ERROR,
    FORBIDDEN,
    CHILD_INVALID,
    NO_TOKEN,
];
