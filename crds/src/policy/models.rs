//! The models: the two that a call can go to, and one that judges answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Upstream;
use crate::period::Period;

/// Longest name of a model, in characters.
pub const NAME_MAX: usize = 200;

/// The two models that a call can go to, a local one and Claude, and one that judges answers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct Models {
    /// The local model. A skill's calls stay on it as long as its pass rate is good enough.
    pub local: Model,
    /// Claude: the model for skills that the local model does not do well, and for calls on which it failed.
    pub claude: Model,
    /// The model that judges answers of skills with `grading.by: Grader`. No call goes to it. If absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grader: Option<Model>,
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

    /// Longest attempt on this model. If absent: `timeouts.local` for the local model, what is left of `timeouts.total`
    /// for Claude, and 60 s for the grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}
