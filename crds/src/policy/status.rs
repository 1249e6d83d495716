//! What the operator reports about a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator reports: whether the last change runs on every replica, and where calls go.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoutingPolicyStatus {
    /// The generation of the policy that this status is about. Another than metadata.generation: the operator has not
    /// looked at the last change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Identifies the config that the pods are to run. A pod's own is in its `/status` on the admin port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub config_hash: Option<String>,

    /// Where callers reach the data plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,

    /// The pods' labels, as a HorizontalPodAutoscaler wants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,

    /// How many pods there are, and how many run the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaCounts>,

    /// Where the calls of each skill go, as the pods see it; brought up to date at most once a minute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub skills: Vec<SkillStatus>,

    /// Accepted: the policy is valid. ResolvedRefs: what it refers to is there. Programmed: every pod runs it. Ready:
    /// all of that, and the wanted number of pods serves. Reconciling, Stalled (somebody must act) and Insecure
    /// (no token is asked for) are there only while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where callers reach the data plane.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// The address for MCP clients; with a NodePort that of one node, and every other node's serves as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// The address inside the cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub service: String,
    /// The port on every node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int32"))]
    pub node_port: Option<u16>,
}

/// Numbers of pods.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct ReplicaCounts {
    /// Asked for.
    #[schemars(extend("format" = "int32"))]
    pub desired: u32,
    /// There, without those that are ending.
    #[schemars(extend("format" = "int32"))]
    pub current: u32,
    /// Of these, ready to serve.
    #[schemars(extend("format" = "int32"))]
    pub ready: u32,
    /// Of these, running the config of `configHash`.
    #[schemars(extend("format" = "int32"))]
    pub programmed: u32,
}

/// Where the calls of a skill go.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SkillStatus {
    /// The skill.
    #[schemars(length(max = 48))]
    pub name: String,
    /// Its pass rate with two decimals; absent while it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 6))]
    pub pass_rate: Option<String>,
    /// Outcomes behind the pass rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "int64"))]
    pub samples: Option<u64>,
    /// Where its calls go.
    pub route: RouteStatus,
}

/// Where calls go.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteStatus {
    /// The local model.
    Local,
    /// Claude.
    Claude,
    /// Half and half, by the request's content.
    Split,
}
