//! The resource as its users write it.

pub mod access;
pub mod data_plane;
pub mod evidence;
pub mod limits;
pub mod models;
pub mod quantity;
pub mod service;
pub mod skill;
pub mod status;
pub mod upstream;

pub use access::{Access, AccessToken};
pub use data_plane::{DataPlane, ImagePullPolicy, Resources, SecretName, Workspace};
pub use evidence::{Brain, Evidence, Thresholds};
pub use limits::{Limits, Timeouts};
pub use models::{Model, Models};
pub use quantity::Quantity;
pub use service::{Service, ServiceType};
pub use skill::{OnLocalError, RouteMode, SkillSpec, StageSpec};
pub use status::{Endpoint, ReplicaCounts, RouteStatus, RoutingPolicyStatus, SkillStatus};
use upstream::HTTP_URL_RULE;
pub use upstream::{ConfigMapKeyRef, SecretKeyRef, TextSource, Upstream};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Which skills are served, by which models, and how well a skill must do on the local model to stay there.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "routing.hyperguild.io",
    version = "v1alpha1",
    kind = "RoutingPolicy",
    namespaced,
    status = "RoutingPolicyStatus",
    derive = "PartialEq",
    shortname = "rp",
    category = "routing",
    // Flux never deletes the definition, and with it every policy, because a file is gone from Git.
    annotation("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    scale(
        spec_replicas_path = ".spec.dataPlane.replicas",
        status_replicas_path = ".status.replicas.current",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether the last change runs on every replica and is served"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas.desired",
        description = "Pods asked for"),
    printcolumn(name = "Programmed", type_ = "integer", json_path = ".status.replicas.programmed",
        description = "Pods that run the last change"),
    printcolumn(name = "NodePort", type_ = "integer", json_path = ".status.endpoint.nodePort",
        description = "Port on every node"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason",
        description = "Why it is ready or not", priority = 1),
    printcolumn(name = "Floor", type_ = "string", json_path = ".spec.thresholds.floor",
        description = "From this pass rate up a skill's calls go local", priority = 1),
    printcolumn(name = "Ceil", type_ = "string", json_path = ".spec.thresholds.ceil",
        description = "Below this pass rate a skill's calls go to Claude", priority = 1),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend",
        description = "Whether the operator leaves everything as it is", priority = 1),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')")
        .message("metadata.name must be a lower-case letter and then up to 51 of a-z, 0-9 and '-', ending with a letter or digit"),
    doc = "Serves MCP skills and routes every call to a local model or to Claude by the skill's measured pass rate."
)]
#[cfg_attr(test, kube(cel))]
#[serde(rename_all = "camelCase")]
pub struct RoutingPolicySpec {
    /// The OpenAI-compatible endpoint, for example a LiteLLM proxy, that serves both models.
    pub upstream: Upstream,

    /// The two models that a call can go to.
    pub models: Models,

    /// Where pass rates come from and decisions are logged. Absent: no pass rates, so every call goes local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brain: Option<Brain>,

    /// Pass rates that decide the route; a skill may override both.
    #[serde(default)]
    pub thresholds: Thresholds,

    /// How pass rates are asked for, cached and held.
    #[serde(default)]
    pub evidence: Evidence,

    /// The skills to serve. Absent: the four built-in ones (code_review, debug, retrospective, trainer).
    /// Present: exactly these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub skills: Option<Vec<SkillSpec>>,

    /// Who may call, from which browsers' origins and under which host names.
    #[serde(default)]
    pub access: Access,

    /// How long model calls may take.
    #[serde(default)]
    pub timeouts: Timeouts,

    /// How much may happen at once.
    #[serde(default)]
    pub limits: Limits,

    /// Whether an answer carries a second, one-line block with the decision's id, which a model can quote
    /// when it reports the outcome.
    #[serde(default)]
    pub decision_line: DecisionLine,

    /// The operator leaves everything as it is while this is true: pods, Services, this status.
    #[serde(default)]
    pub suspend: bool,

    /// How callers reach the data plane.
    #[serde(default)]
    pub service: Service,

    /// How the pods run.
    #[serde(default)]
    pub data_plane: DataPlane,
}

/// Whether answers carry the decision line.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecisionLine {
    /// Every answer carries it.
    #[default]
    Show,
    /// No answer carries it; `_meta` still has the decisions.
    Hide,
}

#[cfg(test)]
mod tests;
