//! What the operator reports about a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{
    skill::{NAME_MAX, SKILLS_MAX},
    upstream::URL_MAX,
};

/// Longest rate, in characters.
const RATE_MAX: usize = 6;
/// Longest amount of money, in characters.
pub const USD_MAX: usize = 20;
/// Longest reason of a skill's route, in characters.
pub const REASON_MAX: usize = 64;
/// Longest message about a skill's route, in characters.
pub const MESSAGE_MAX: usize = 256;

/// What the operator reports: whether every pod runs the latest spec, and where calls go.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoutingPolicyStatus {
    /// The generation of the policy that this status describes. If it differs from metadata.generation, the operator
    /// has not yet observed the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Hash of the config that the pods should run. `:3211/status` of a pod shows the hash of the config that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub config_hash: Option<String>,

    /// Where callers reach the data plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,

    /// Label selector of the pods, in the form that a HorizontalPodAutoscaler reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,

    /// Number of pods: desired, existing, ready, and running the config of `configHash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaCounts>,

    /// The brain that the operator runs, with `spec.brain.managed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brain: Option<BrainStatus>,

    /// Where the calls of each skill go, as reported by the pods. Updated at most once a minute, or when a
    /// route changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = SKILLS_MAX))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub skills: Vec<SkillStatus>,

    /// What calls cost and saved in the last days, as a pod reports it from the brain. Updated with `skills`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savings: Option<SavingsStatus>,

    /// Accepted: the policy and its ConfigMaps are valid; while it is False, the pods keep the last accepted config.
    /// ResolvedRefs: everything the policy refers to exists. Programmed: every pod runs the policy's config. Ready: all
    /// three, and the desired number of pods serves. UpstreamReachable: the models' endpoints answer the pods; BrainReady,
    /// only with spec.brain.managed: the brain's pods serve; the others do not depend on these two. Reconciling, Stalled
    /// (action is needed), Insecure (callers need no token), EvidenceLocked (skills stay with Claude until someone acts) and
    /// Contested (somebody else keeps changing what the operator sets) are present only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What calls cost and saved. Money in US dollars, as text because Kubernetes forbids floats.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct SavingsStatus {
    /// How far back, for example 7d.
    #[schemars(length(max = USD_MAX))]
    pub since: String,
    /// Calls of callers.
    pub calls: i64,
    /// The part of the answers that the local model gave, from 0 to 1; absent without answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = RATE_MAX))]
    pub share_local: Option<String>,
    /// What all model calls cost; absent: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = USD_MAX))]
    pub cost_usd: Option<String>,
    /// What the answers of the local model would have cost on Claude, minus what local attempts and judgements cost;
    /// absent: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = USD_MAX))]
    pub saved_usd: Option<String>,
}

/// Where callers reach the data plane.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// The URL for MCP clients; absent until the cluster has assigned an address. With `type: NodePort` it names a node
    /// that runs a pod; the same port serves on every other node, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = URL_MAX))]
    pub url: Option<String>,
    /// The address inside the cluster, `<name>.<namespace>.svc:<port>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub service: String,
    /// The port on every node, with `type: NodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub node_port: Option<u16>,
}

/// Numbers of pods.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct ReplicaCounts {
    /// Pods that should run.
    #[schemars(extend("format" = "int32"))]
    pub desired: u32,
    /// Pods that exist, without those that are terminating.
    #[schemars(extend("format" = "int32"))]
    pub current: u32,
    /// Pods among `current` that are ready to serve.
    #[schemars(extend("format" = "int32"))]
    pub ready: u32,
    /// Pods among `current` that run the config of `configHash`.
    #[schemars(extend("format" = "int32"))]
    pub programmed: u32,
}

/// The brain that the operator runs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct BrainStatus {
    /// Its address inside the cluster, which the data plane uses.
    #[schemars(length(max = URL_MAX))]
    pub url: String,
    /// The port on every node that leads to it, with `managed.nodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub node_port: Option<u16>,
    /// Pods that should run.
    #[schemars(extend("format" = "int32"))]
    pub replicas: u32,
    /// Pods that serve.
    #[schemars(extend("format" = "int32"))]
    pub ready: u32,
    /// The claim with its SQLite file; absent with a Postgres database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub claim: Option<String>,
}

/// The pass rate and the route of one skill.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SkillStatus {
    /// Name of the skill.
    #[schemars(length(max = NAME_MAX))]
    pub name: String,
    /// The skill's pass rate with two decimals, for example 0.94. Absent while the skill is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = RATE_MAX))]
    pub pass_rate: Option<String>,
    /// Where the true pass rate is with 95 % confidence, given the number of outcomes. Absent without pass rate or samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<RateInterval>,
    /// Number of outcomes that the pass rate is computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int64"))]
    pub samples: Option<u64>,
    /// The share of the skill's decisions that have a verdict, with two decimals. Absent if the brain does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = RATE_MAX))]
    pub coverage: Option<String>,
    /// Claude's own pass rate for the skill, with two decimals. Absent while it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = RATE_MAX))]
    pub claude_pass_rate: Option<String>,
    /// Number of outcomes that Claude's pass rate is computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int64"))]
    pub claude_samples: Option<u64>,
    /// Local or Claude: the model that gets the skill's calls. Split: each gets half, by a hash of the prompt.
    pub route: RouteStatus,
    /// Why, as in the reason of a decision, for example below_ceil.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = REASON_MAX))]
    pub reason: Option<String>,
    /// Why, for people, for example "0.68 of 41 is below 0.70".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MESSAGE_MAX))]
    pub message: Option<String>,
    /// True while calls go to Claude and no outcome of the local model can come in any more; see the condition
    /// EvidenceLocked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
}

/// The interval of a pass rate.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateInterval {
    /// Its lower end, with two decimals.
    #[schemars(length(max = RATE_MAX))]
    pub low: String,
    /// Its upper end, with two decimals.
    #[schemars(length(max = RATE_MAX))]
    pub high: String,
}

/// Where the calls of a skill go.
#[derive(Serialize, Deserialize, JsonSchema, IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteStatus {
    /// To the local model.
    Local,
    /// To Claude.
    Claude,
    /// Half to each model, by a hash of the prompt.
    Split,
}

impl RouteStatus {
    /// As written in a status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
