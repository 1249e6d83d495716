//! Calls that go against the pass rate, so that the other model's rate stays known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;

/// Calls that go against the pass rate. A skill that went to Claude gets no new outcomes of the local model otherwise.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Exploration {
    /// Off: none. Live: `share` of the calls that the pass rate sends to Claude get the local model's answer. Shadow:
    /// for `share` of them the local model is asked, too, after the answer; what it says is recorded and never shown.
    /// Default: "Off", in quotes, because for kubectl a bare Off is false.
    pub mode: ExplorationMode,
    /// The part of the calls that the pass rate sends to Claude which explore the local model. A quoted decimal from 0
    /// to 1. Default: "0.05".
    pub share: Decimal,
    /// The part of the calls that would stay local which go to Claude, so that Claude's rate is known; not with `mode:
    /// Off`. A quoted decimal from 0 to 1. Default: "0".
    pub claude_share: Decimal,
}

/// What becomes of the calls that explore the local model.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExplorationMode {
    /// There are none.
    #[default]
    Off,
    /// The caller gets the local model's answer.
    Live,
    /// The caller gets Claude's answer; the local model is asked in the background.
    Shadow,
}

impl Default for Exploration {
    fn default() -> Self {
        Self {
            mode: ExplorationMode::default(),
            share: Decimal::from_text("0.05"),
            claude_share: Decimal::from_text("0"),
        }
    }
}
