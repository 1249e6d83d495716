//! The resource as its users write it.

pub mod access;
pub mod evidence;
pub mod limits;
pub mod models;
pub mod skill;
pub mod upstream;

pub use access::{Access, AccessToken};
pub use evidence::{Brain, Evidence, Thresholds};
pub use limits::{Limits, Service, Timeouts};
pub use models::{Model, Models};
pub use skill::{OnLocalError, RouteMode, SkillSpec, StageSpec};
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
    derive = "PartialEq",
    shortname = "rp",
    category = "routing",
    doc = "Serves MCP skills and routes every call to a local model or to Claude by the skill's measured pass rate."
)]
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

    /// How the data plane is exposed.
    #[serde(default)]
    pub service: Service,
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
