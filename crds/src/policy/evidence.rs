//! Pass rates: where they come from and what they decide.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SecretKeyRef,
    upstream::{HTTP_URL_RULE, NO_USER_RULE, NOT_LINK_LOCAL, NOT_LINK_LOCAL_RULE, URL_MAX},
};
use crate::{decimal::Decimal, period::Period};

/// Most outcomes that `minSamples` can ask for.
pub const MIN_SAMPLES_MAX: u32 = 1_000_000;

/// The service that stores the outcomes of skill calls and provides pass rates.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Brain {
    /// Base URL, http or https. `/pass-rate` and `/mcp` are appended.
    #[schemars(length(max = URL_MAX))]
    #[x_kube(validation = Rule::new(HTTP_URL_RULE).message("must be an http:// or https:// URL with a host and without query or fragment"))]
    #[x_kube(validation = Rule::new(NO_USER_RULE)
        .message("must not have a user or a password; put it into a Secret, and name that in tokenSecretRef"))]
    #[x_kube(validation = Rule::new(NOT_LINK_LOCAL_RULE).message(NOT_LINK_LOCAL))]
    pub url: String,

    /// The Secret and its key that hold the bearer token for the brain. If absent, no token is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,
}

/// A text that is not a decimal passes here: its pattern refuses it.
const CEIL_NOT_ABOVE_FLOOR: &str = "!self.ceil.matches('^(0|1)([.][0-9]+)?$') || \
    !self.floor.matches('^(0|1)([.][0-9]+)?$') || double(self.ceil) <= double(self.floor)";

/// The two pass rates that decide the route: from `floor` up local, below `ceil` Claude, in between half and half.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(CEIL_NOT_ABOVE_FLOOR)
    .message("must not be above floor: below ceil calls go to Claude, from floor up they stay local")
    .field_path(".ceil"))]
pub struct Thresholds {
    /// Floor of the local range: at or above this pass rate, calls go to the local model. A quoted decimal from 0 to 1,
    /// for example "0.90".
    pub floor: Decimal,
    /// Ceiling of Claude's range: below this pass rate, calls go to Claude. At or above it and below `floor`, a hash of
    /// the prompt splits calls evenly between the two models. A quoted decimal, at most `floor`.
    pub ceil: Decimal,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { floor: Decimal::from_text("0.90"), ceil: Decimal::from_text("0.70") }
    }
}

/// How pass rates are computed and cached, and how long old ones count while the brain is unreachable.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// How far back outcomes count, for example "7d". Passed to the brain unchanged. Default: 7d.
    pub window: Period,
    /// How long a pass rate is cached before the brain is queried again. Default: 60s.
    pub ttl: Period,
    /// A skill with fewer outcomes than this counts as not measured, so its calls go to the local model. Default: 1.
    #[schemars(range(min = 1, max = MIN_SAMPLES_MAX), extend("format" = "int32"))]
    pub min_samples: u32,
    /// How long the last known pass rate is used while the brain is unreachable. After that, calls go to the local
    /// model. "0s": as soon as `ttl` has passed. Default: 1h.
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
