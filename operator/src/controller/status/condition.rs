//! The types of conditions. Those that are there only while true are abnormal.

/// The policy is valid and, with the texts it refers to, a config.
pub const ACCEPTED: &str = "Accepted";
/// What the policy refers to is there: ConfigMaps, and Secrets as the pods see them.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Every pod runs the config.
pub const PROGRAMMED: &str = "Programmed";
/// All of the above, and the wanted number of pods serves.
pub const READY: &str = "Ready";
/// There only while true: a change is on its way.
pub const RECONCILING: &str = "Reconciling";
/// There only while true: somebody must act.
pub const STALLED: &str = "Stalled";
/// There only while true: no token is asked for.
pub const INSECURE: &str = "Insecure";
