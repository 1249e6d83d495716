//! What clients are told besides the skills themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How clients present the skills to their models.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Client {
    /// Whether clients that load tools only when they are looked for, as Claude Code does, are asked to show the skills
    /// to the model from the start. That costs the text of their definitions in each conversation. Default: true.
    pub always_load: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self { always_load: true }
    }
}
