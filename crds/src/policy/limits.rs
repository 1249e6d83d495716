//! How long calls may take, and how many a pod handles at the same time.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::period::Period;

/// Most calls that one pod can be told to work on at the same time.
pub const IN_FLIGHT_MAX: u32 = 10_000;

/// CEL's durations have no unit for days, and its estimate of the cost of replacing a letter is too high for a CRD.
/// A text that is not a period passes here: its pattern refuses it.
const LOCAL_WITHIN_TOTAL: &str = "\
    !self.local.matches('^[1-9][0-9]*(ms|s|m|h|d)$') || !self.total.matches('^[1-9][0-9]*(ms|s|m|h|d)$') || \
    (self.local.endsWith('d') ? int(self.local.substring(0, self.local.size() - 1)) * 86400000 : duration(self.local).getMilliseconds()) <= \
    (self.total.endsWith('d') ? int(self.total.substring(0, self.total.size() - 1)) * 86400000 : duration(self.total).getMilliseconds())";

/// How long a call, and its attempt on the local model, may take. Claude Code puts a call into the background after
/// 120 s, and gives up after 300 s without a sign of life.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[x_kube(validation = Rule::new(LOCAL_WITHIN_TOTAL)
    .message("must not be longer than timeouts.total, the budget of both attempts")
    .field_path(".local"))]
pub struct Timeouts {
    /// Time limit for the local model, shared by all stages of a call, so that Claude has time left. Default: 75s.
    #[serde(default = "default_local")]
    pub local: Period,
    /// Time limit for a call: all its stages, each with its attempts on the local model and on Claude. Default: 115s.
    #[serde(default = "default_total")]
    pub total: Period,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { local: default_local(), total: default_total() }
    }
}

/// The same for one skill. Both are given, or neither.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(LOCAL_WITHIN_TOTAL)
    .message("must not be longer than total, the budget of both attempts")
    .field_path(".local"))]
pub struct SkillTimeouts {
    /// As `spec.timeouts.local`. `models.local.timeout` bounds it, if that is set.
    pub local: Period,
    /// As `spec.timeouts.total`.
    pub total: Period,
}

fn default_local() -> Period {
    Period::from_text("75s")
}

fn default_total() -> Period {
    Period::from_text("115s")
}

/// How many calls a pod handles at the same time.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Calls that one pod handles at the same time. More are refused immediately, with a tool error (metric result
    /// `busy`). Default: 256.
    #[schemars(range(min = 1, max = IN_FLIGHT_MAX), extend("format" = "int32"))]
    pub in_flight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 256 }
    }
}
