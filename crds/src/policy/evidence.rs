//! Pass rates: where they come from and what they decide.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HTTP_URL_RULE, SecretKeyRef};
use crate::{decimal::Decimal, period::Period};

/// The service that keeps outcomes and serves pass rates.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Brain {
    /// Base URL, http or https; `/pass-rate` and `/mcp` are below it.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new(HTTP_URL_RULE).message("must be a URL with http:// or https://, a host, and neither query nor fragment"))]
    pub url: String,

    /// The bearer token that the brain asks for. Absent: none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,
}

/// A text that is no decimal has an error of its own, from its pattern.
const CEIL_NOT_ABOVE_FLOOR: &str = "!self.ceil.matches('^(0|1)([.][0-9]+)?$') || \
    !self.floor.matches('^(0|1)([.][0-9]+)?$') || double(self.ceil) <= double(self.floor)";

/// The two pass rates that divide local, split and Claude.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(CEIL_NOT_ABOVE_FLOOR)
    .message("must not be above floor: below ceil calls go to Claude, from floor up they stay local")
    .field_path(".ceil"))]
pub struct Thresholds {
    /// At or above this pass rate a call goes local. A quoted decimal, for example "0.90".
    pub floor: Decimal,
    /// Below this pass rate a call goes to Claude; from here to the floor calls are split evenly by their content.
    pub ceil: Decimal,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { floor: Decimal::from_text("0.90"), ceil: Decimal::from_text("0.70") }
    }
}

/// How pass rates are asked for, cached and held.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// How far back the brain looks; passed to it as written.
    pub window: Period,
    /// How long a pass rate is cached.
    pub ttl: Period,
    /// With fewer outcomes than this a skill counts as not measured.
    #[schemars(range(min = 1, max = 1_000_000), extend("format" = "int32"))]
    pub min_samples: u32,
    /// While the brain cannot be reached, the last known pass rate is kept this long; then the skill counts as
    /// not measured. "0s": never kept.
    #[schemars(with = "crate::period::PeriodOrZero")]
    pub hold_for: Period,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            window: Period::from_text("7d"),
            ttl: Period::from_text("60s"),
            min_samples: 1,
            hold_for: Period::from_text("1h"),
        }
    }
}
