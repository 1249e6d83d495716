//! What models cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::usd::Usd;

/// US dollars per million tokens, as providers publish them. Where the gateway reports the cost of a call (LiteLLM's
/// `x-litellm-response-cost`), that counts instead.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Of tokens of prompts, for example "3".
    pub input: Usd,

    /// Of tokens of answers, for example "15".
    pub output: Usd,

    /// Of tokens of prompts that the provider had cached, for example "0.30". If absent: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Usd>,
}
