//! The resource as its users write it.

pub mod access;
pub mod attach;
pub mod brain;
pub mod check;
pub mod client;
pub mod condition;
pub mod data_plane;
pub mod evidence;
pub mod limits;
pub mod models;
pub mod price;
pub mod quantity;
pub mod reason;
pub mod review;
pub mod service;
pub mod skill;
pub mod status;
pub mod upstream;

pub use access::{Access, AccessToken};
pub use attach::{Attach, FromGit};
pub use brain::{Brain, ManagedBrain, Reclaim};
pub use check::{Check, CheckCounts, GradedBy, Grading, OnFailedCheck};
pub use client::Client;
pub use condition::ConditionStatus;
pub use data_plane::{DataPlane, ImagePullPolicy, Resources, SecretName, Workspace};
pub use evidence::{Evidence, EvidenceOf, Exploration, ExplorationMode, OnExpired, RelativeTo, Source, Thresholds};
pub use limits::{Limits, SkillTimeouts, Timeouts};
pub use models::{ClaudeModel, Model, Models, ReturnToCaller};
pub use price::Price;
pub use quantity::Quantity;
pub use reason::{EventType, Reason};
pub use review::Review;
pub use service::{Service, ServiceType};
pub use skill::{OnLocalError, RouteMode, SkillSpec, StageSpec};
pub use status::{
    BrainStatus, Endpoint, RateInterval, ReplicaCounts, RouteStatus, RoutingPolicyStatus, SavingsStatus, SkillStatus,
};
pub use upstream::{ConfigMapKeyRef, SecretKeyRef, TextSource, Upstream};

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

const EXPLORATION_NEEDS_A_BRAIN: &str = "has(self.brain) || self.evidence.exploration.mode == 'Off'";
const RELATIVE_NEEDS_A_BRAIN: &str =
    "self.thresholds.relativeTo == 'None' || (has(self.brain) && self.evidence.of == 'Model')";
const RELATIVE_SKILL_NEEDS_A_BRAIN: &str = "!has(self.skills) || (has(self.brain) && self.evidence.of == 'Model') || \
    self.skills.all(skill, !has(skill.thresholds) || skill.thresholds.relativeTo == 'None')";
const RELATIVE_NEEDS: &str = "relativeTo: Claude needs brain and evidence.of: Model, which give Claude's own rate";
/// A set could not be applied as a whole, see `Evidence::sources`.
const SOURCES_ARE_UNIQUE: &str =
    "self.evidence.sources.all(one, self.evidence.sources.exists_one(other, other == one))";
/// What is not listed as a source does not count, and a grader only for a skill that says so.
const SOURCE_RULE: &str = "self.evidence.sources != ['grader'] || \
    (has(self.skills) ? self.skills.all(skill, has(skill.grading) ? skill.grading.counts : self.evidence.of == 'Skill') \
    : self.evidence.of == 'Skill')";
const NEEDS_SOURCE: &str = "must not be [grader] alone where a skill's gradings do not count; list another source, or set \
    the skill's grading.counts: true once they agree with people's verdicts";
/// Whoever is named as judge exists.
const GRADER_RULE: &str = "has(self.models.grader) || !has(self.skills) || \
    self.skills.all(skill, !has(skill.grading) || skill.grading.by != 'Grader')";
/// Why a policy needs a grader.
pub(crate) const NEEDS_GRADER: &str = "must have a grader, because a skill has grading.by: Grader; add models.grader, or \
    remove by, and Claude judges";

/// The skills to serve, the two models that answer calls, and the pass rates that decide which model gets a call.
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
    // Without this, Flux would delete the definition, and with it every policy, once its file is gone from Git.
    annotation("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    scale(
        spec_replicas_path = ".spec.dataPlane.replicas",
        status_replicas_path = ".status.replicas.current",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether every replica runs and serves the last change"),
    printcolumn(name = "Replicas", type_ = "integer", json_path = ".status.replicas.desired",
        description = "Pods that should run"),
    printcolumn(name = "Programmed", type_ = "integer", json_path = ".status.replicas.programmed",
        description = "Pods that run the last change"),
    printcolumn(name = "NodePort", type_ = "integer", json_path = ".status.endpoint.nodePort",
        description = "Port on every node under which callers reach the data plane"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason",
        description = "Why the policy is ready or not", priority = 1),
    printcolumn(name = "Floor", type_ = "string", json_path = ".spec.thresholds.floor",
        description = "At or above this pass rate a skill's calls go to the local model", priority = 1),
    printcolumn(name = "Ceil", type_ = "string", json_path = ".spec.thresholds.ceil",
        description = "Below this pass rate a skill's calls go to Claude", priority = 1),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend",
        description = "Whether the operator leaves the policy's objects and status unchanged", priority = 1),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')")
        .message("metadata.name must be 1 to 52 of a-z, 0-9 and '-', starting with a letter and ending with a letter or digit"),
    validation = Rule::new("!has(self.spec.brain) || !has(self.spec.brain.managed) || size(self.metadata.name) <= 46")
        .message("metadata.name must be at most 46 characters with spec.brain.managed, because the names of its pods hold it"),
    doc = "Serves skills (prompts) as MCP tools. A skill's pass rate decides whether a call goes to a local model or \
        to Claude. For each policy the operator creates a ServiceAccount, ConfigMap, Deployment, Service and \
        NetworkPolicy with the policy's name, a PodDisruptionBudget if there are several replicas, and a Service \
        NAME-nodeport or NAME-lb, as service.type requires; with brain.managed also NAME-brain: a ServiceAccount, \
        StatefulSet or Deployment, Service and NetworkPolicy, and a PodDisruptionBudget if it has several pods."
)]
#[cfg_attr(test, kube(cel))]
#[x_kube(validation = Rule::new(GRADER_RULE).message(NEEDS_GRADER).field_path(".models"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(EXPLORATION_NEEDS_A_BRAIN)
    .message("needs brain: without one nothing is learned from it; set brain, or leave exploration out")
    .field_path(".evidence.exploration.mode"))]
#[x_kube(validation = Rule::new(models::CALLER_JUDGES_RULE).message(models::CALLER_JUDGES).field_path(".skills"))]
#[x_kube(validation = Rule::new(models::CALLER_STAGES_RULE).message(models::CALLER_STAGES)
    .field_path(".models.claude.returnToCaller"))]
#[x_kube(validation = Rule::new("!has(self.review) || has(self.brain)").message(review::NEEDS_A_BRAIN).field_path(".review"))]
#[x_kube(validation = Rule::new(SOURCES_ARE_UNIQUE).message("must not name a source twice").field_path(".evidence.sources"))]
#[x_kube(validation = Rule::new(SOURCE_RULE).message(NEEDS_SOURCE).field_path(".evidence.sources"))]
#[x_kube(validation = Rule::new(RELATIVE_NEEDS_A_BRAIN).message(RELATIVE_NEEDS).field_path(".thresholds.relativeTo"))]
#[x_kube(validation = Rule::new(RELATIVE_SKILL_NEEDS_A_BRAIN).message(RELATIVE_NEEDS).field_path(".skills"))]
pub struct RoutingPolicySpec {
    /// The OpenAI-compatible endpoint that serves both models, for example a LiteLLM proxy. A model can have its own.
    pub upstream: Upstream,

    /// The two models that a call can go to, a local one and Claude, and one that judges answers.
    pub models: Models,

    /// The service, for example `routing brain`, that stores outcomes and decisions and provides pass rates: at a URL, or
    /// run by the operator. If absent, every call goes to the local model, except for skills with `route: Claude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brain: Option<Brain>,

    /// The pass rates that decide the route; a skill can set its own. A pass rate is passes / (passes + fails) of the
    /// outcomes in `evidence.window` of answers of the local model; see `evidence.of`. Default: floor "0.90", ceil
    /// "0.70".
    #[serde(default)]
    pub thresholds: Thresholds,

    /// How pass rates are computed and cached, and how long old ones count while the brain is unreachable. A duration
    /// is a whole number and a unit: ms, s, m, h or d.
    #[serde(default)]
    pub evidence: Evidence,

    /// Keeps a share of the answers for a while, so that somebody can judge them later on the brain's page: not
    /// encrypted, and shown to everybody who may read that page. If absent: no answer is kept. Prompts never are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,

    /// The skills to serve. If absent, the built-in ones: code_review, debug, retrospective and trainer. If present,
    /// only those listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = skill::SKILLS_MAX))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub skills: Option<Vec<SkillSpec>>,

    /// How clients present the skills to their models.
    #[serde(default)]
    pub client: Client,

    /// Who may call: bearer tokens, browser origins and host names.
    #[serde(default)]
    pub access: Access,

    /// How long a call, and its attempt on the local model, may take. A duration is a whole number and a unit: ms, s,
    /// m, h or d.
    #[serde(default)]
    pub timeouts: Timeouts,

    /// How many calls a pod handles at the same time.
    #[serde(default)]
    pub limits: Limits,

    /// Show: each answer begins with a content block with the id of its routing decision, for the calling model to quote
    /// when it reports the outcome. Hide: only the answer's `_meta` has the id. Default: Show.
    #[serde(default)]
    pub decision_line: DecisionLine,

    /// While true, the operator changes nothing, not even the status. Existing pods keep serving. Default: false.
    #[serde(default)]
    pub suspend: bool,

    /// How callers reach the data plane (the pods that serve the skills).
    #[serde(default)]
    pub service: Service,

    /// The pods of the data plane: number, image, nodes, resources, volumes.
    #[serde(default)]
    pub data_plane: DataPlane,
}

/// Whether answers carry the line with the decision's id.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecisionLine {
    /// Every answer carries the line.
    #[default]
    Show,
    /// No answer carries the line. Its `_meta` still holds the decisions.
    Hide,
}

#[cfg(test)]
mod tests;
