//! The two models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Upstream;
use crate::period::Period;

/// The local model and Claude.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct Models {
    /// The model that calls should stay on.
    pub local: Model,
    /// The model for calls that the local one does not do well, and for local errors.
    pub claude: Model,
}

/// One model behind the upstream.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The model's name, as the upstream knows it.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,

    /// Merged into every request to this model, for example `max_tokens` or `temperature`.
    /// `model`, `messages` and `stream` cannot be set.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "super::skill::free_form_object")]
    pub parameters: Map<String, Value>,

    /// Another endpoint for this model; nothing is inherited from `spec.upstream`, so its key goes nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,

    /// Longest time for one attempt on this model. Absent: `timeouts.local` for the local model, what is left of
    /// `timeouts.total` for Claude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}
