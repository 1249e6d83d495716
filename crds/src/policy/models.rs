//! The models: the two that a call can go to, and one that judges answers.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Price, Upstream};
use crate::period::Period;

/// Longest name of a model, in characters.
pub const NAME_MAX: usize = 200;
/// Most calls of one model that a pod can be told to make at the same time.
pub(crate) const CONCURRENT_MAX: u32 = 1_000;

/// Either a model, or the caller.
pub(crate) const CLAUDE_ONE: &str = "must have exactly one of name and returnToCaller";
/// What says how a model is called.
const CALLER_RULE: &str = "!has(self.returnToCaller) || \
    !(has(self.parameters) || has(self.upstream) || has(self.timeout) || has(self.maxConcurrent) || has(self.price))";
/// Why these have no meaning.
pub(crate) const CALLER_ALONE: &str = "must not have parameters, upstream, timeout, maxConcurrent or price beside it, because no model is called; \
    remove them, or set name instead";
/// Whoever judges is a model.
pub(super) const CALLER_JUDGES_RULE: &str = "!has(self.models.claude.returnToCaller) || !has(self.skills) || \
    self.skills.all(skill, !has(skill.grading) || skill.grading.by != 'Claude')";
/// Why the caller cannot judge.
pub(crate) const CALLER_JUDGES: &str = "must not be by Claude, because models.claude is the caller, which judges nothing; set \
    by: Grader and models.grader";
/// Of the built-in skills, the trainer has several stages; a test compares this with `crate::builtin`.
pub(super) const CALLER_STAGES_RULE: &str = "!has(self.models.claude.returnToCaller) || \
    (has(self.skills) && self.skills.all(skill, \
    (skill.route == 'Local' && (!has(skill.onLocalError) || skill.onLocalError == 'Fail')) || \
    (has(skill.stages) ? size(skill.stages) <= 1 : skill.name != 'trainer')))";
/// Why the work of a skill with several stages cannot be returned.
pub(super) const CALLER_STAGES: &str = "must name a model instead, because a skill has several stages, and one before the last \
    cannot be returned to the caller; set name, or give the skill (of the built-in ones: trainer) route: Local, or leave it \
    out of skills";

/// The two models that a call can go to, a local one and Claude, and one that judges answers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct Models {
    /// The local model. A skill's calls stay on it as long as its pass rate is good enough.
    pub local: Model,
    /// Claude: the model for skills that the local model does not do well, and for calls on which it failed. Or the
    /// caller, which then does the work itself.
    pub claude: ClaudeModel,
    /// The model that judges answers of skills with `grading.by: Grader`. No call goes to it. If absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grader: Option<Model>,
}

impl Models {
    /// The endpoints that the models have for themselves, with the models' names.
    pub(crate) fn own_upstreams(&self) -> [(&'static str, Option<&Upstream>); 3] {
        [
            ("local", self.local.upstream.as_ref()),
            ("claude", self.claude.upstream.as_ref()),
            ("grader", self.grader.as_ref().and_then(|grader| grader.upstream.as_ref())),
        ]
    }

    /// Whether the model of this name has an endpoint for itself.
    #[must_use]
    pub fn has_own_upstream(&self, name: &str) -> bool {
        self.own_upstreams().iter().any(|(model, upstream)| *model == name && upstream.is_some())
    }
}

/// Claude: the name of a model, or whoever calls.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new("has(self.name) != has(self.returnToCaller)").message(CLAUDE_ONE))]
#[x_kube(validation = Rule::new(CALLER_RULE).message(CALLER_ALONE).field_path(".returnToCaller"))]
#[serde(rename_all = "camelCase")]
pub struct ClaudeModel {
    /// Name of the model, as the endpoint knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = NAME_MAX))]
    pub name: Option<String>,

    /// Instead of `name`: no model is called. The caller, for example Claude Code, gets the skill's instructions as the
    /// answer and does the work itself. Not for skills with several stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to_caller: Option<ReturnToCaller>,

    /// Fields merged into every request to this model, for example `max_tokens` or `temperature`. At most 8 KiB of
    /// JSON; `model`, `messages` and `stream` cannot be set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "super::skill::free_form_object")]
    pub parameters: Map<String, Value>,

    /// An endpoint for this model alone. Nothing is inherited from `spec.upstream`, so its API key is not sent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,

    /// Longest attempt on this model. If absent: what is left of `timeouts.total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,

    /// Calls of this model that one pod makes at the same time. Further ones wait for their turn, in order and for at
    /// most half of their attempt's time, and then fail. If absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CONCURRENT_MAX), extend("format" = "int32"))]
    pub max_concurrent: Option<u32>,

    /// What this model costs, so that costs and savings can be reported. If absent: only what the gateway reports counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// Says that the caller does the work. It has no fields.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct ReturnToCaller {}

impl ClaudeModel {
    /// Whether the caller does the work.
    #[must_use]
    pub fn is_caller(&self) -> bool {
        self.return_to_caller.is_some()
    }

    /// The model; none: it has no name.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        let Self { name, return_to_caller: _, parameters, upstream, timeout, max_concurrent, price } = self.clone();
        Some(Model { name: name?, parameters, upstream, timeout, max_concurrent, price })
    }
}

impl From<Model> for ClaudeModel {
    fn from(Model { name, parameters, upstream, timeout, max_concurrent, price }: Model) -> Self {
        Self { name: Some(name), return_to_caller: None, parameters, upstream, timeout, max_concurrent, price }
    }
}

/// A model and how to call it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Name of the model, as the endpoint knows it.
    #[schemars(length(min = 1, max = NAME_MAX))]
    pub name: String,

    /// Fields merged into every request to this model, for example `max_tokens` or `temperature`. At most 8 KiB of
    /// JSON; `model`, `messages` and `stream` cannot be set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "super::skill::free_form_object")]
    pub parameters: Map<String, Value>,

    /// An endpoint for this model alone. Nothing is inherited from `spec.upstream`, so its API key is not sent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,

    /// Longest attempt on this model. If absent: `timeouts.local` for the local model, and 60 s for the grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,

    /// Calls of this model that one pod makes at the same time, for example as many as its GPU serves at once. Further
    /// ones wait for their turn, in order and for at most half of their attempt's time; then Claude is asked, where
    /// `onLocalError` says so. Judgements and shadow calls do not wait: they are left out. If absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CONCURRENT_MAX), extend("format" = "int32"))]
    pub max_concurrent: Option<u32>,

    /// What this model costs, so that costs and savings can be reported. If absent: only what the gateway reports counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}
