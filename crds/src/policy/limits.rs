//! Times, counts and ports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::period::Period;

/// How long model calls may take. MCP clients give up after about 300 s of silence.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(default)]
pub struct Timeouts {
    /// Longest attempt on the local model, so that Claude has time left. A skill of several stages shares it out.
    pub local: Period,
    /// Budget of the whole call: all stages, both attempts of each.
    pub total: Period,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { local: Period::from_text("120s"), total: Period::from_text("280s") }
    }
}

/// How much may happen at once.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Calls that one replica works on at the same time; a further one is refused at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub in_flight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 256 }
    }
}

/// How the data plane is exposed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(default)]
pub struct Service {
    /// Port of `/mcp` and `/healthz`.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// Port of `/mcp` and `/healthz` unless something else is asked for.
pub const DEFAULT_PORT: u16 = 3210;

impl Default for Service {
    fn default() -> Self {
        Self { port: DEFAULT_PORT }
    }
}
