//! Pass rates: where they come from and what they decide.

pub mod exploration;
pub mod source;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    exploration::{Exploration, ExplorationMode},
    source::Source,
};
use crate::{
    decimal::Decimal,
    period::{Period, USUAL_WINDOW},
};

/// Most outcomes that `minSamples` can ask for.
pub const MIN_SAMPLES_MAX: u32 = 1_000_000;
/// Most sources that a policy can list: all of them.
pub const SOURCES_MAX: usize = Source::ALL.len();

/// A text that is not a decimal passes here: its pattern refuses it.
const CEIL_NOT_ABOVE_FLOOR: &str = "!self.ceil.matches('^(0|1)([.][0-9]+)?$') || \
    !self.floor.matches('^(0|1)([.][0-9]+)?$') || double(self.ceil) <= double(self.floor)";

/// The two pass rates that decide the route: from `floor` up local, below `ceil` Claude, in between half and half.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[cfg_attr(test, x_kube(cel))]
#[x_kube(validation = Rule::new(CEIL_NOT_ABOVE_FLOOR)
    .message("must not be above floor: below ceil calls go to Claude, from floor up they stay local")
    .field_path(".ceil"))]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Floor of the local range: at or above this pass rate, calls go to the local model. A quoted decimal from 0 to 1,
    /// for example "0.90".
    pub floor: Decimal,
    /// Ceiling of Claude's range: below this pass rate, calls go to Claude. At or above it and below `floor`, a hash of
    /// the prompt splits calls evenly between the two models. A quoted decimal, at most `floor`.
    pub ceil: Decimal,
    /// What the two are measured by. None: they are pass rates. Claude: they are shares of Claude's own pass rate, which
    /// counts as 1 while it rests on fewer than `evidence.minSamples` outcomes; needs `brain` and `evidence.of: Model`.
    /// Default: None.
    #[serde(default)]
    pub relative_to: RelativeTo,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { floor: Decimal::from_text("0.90"), ceil: Decimal::from_text("0.70"), relative_to: RelativeTo::default() }
    }
}

/// What floor and ceil are measured by.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelativeTo {
    /// Nothing: they are pass rates.
    #[default]
    None,
    /// Claude's own pass rate: they are shares of it.
    Claude,
}

/// How pass rates are computed and cached, and how long old ones count while the brain is unreachable.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// Whose outcomes a skill's pass rate rests on. Model: those of answers of the local model, so that Claude's answers
    /// and an earlier local model change nothing. Skill: those of all its answers, whichever model gave them; a brain
    /// that does not tell models apart always gives that. Default: Model.
    pub of: EvidenceOf,
    /// Which verdicts count, with `of: Model`. Default: all but implicit.
    // Atomic: of a set, the sources that are set by default would stay when somebody applies fewer (server-side).
    #[schemars(length(min = 1, max = SOURCES_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub sources: Vec<Source>,
    /// How far back outcomes count, for example "7d". Passed to the brain unchanged. Default: 7d.
    pub window: Period,
    /// How long a pass rate is cached before the brain is queried again. Default: 60s.
    pub ttl: Period,
    /// A skill with fewer outcomes than this counts as not measured, so its calls go to the local model. Default: 1.
    #[schemars(range(min = 1, max = MIN_SAMPLES_MAX), extend("format" = "int32"))]
    pub min_samples: u32,
    /// What counts once `window` holds fewer than `minSamples` outcomes of the local model, with `of: Model`. Hold: its
    /// latest `minSamples` outcomes, however old. Forget: nothing, so calls go to the local model again. Default: Hold.
    pub on_expired: OnExpired,
    /// How long the last known pass rate is used while the brain is unreachable. After that, calls go to the local
    /// model. "0s": as soon as `ttl` has passed. Default: 1h.
    #[schemars(with = "crate::period::PeriodOrZero")]
    pub hold_for: Period,
    /// Calls that go against the pass rate, so that the other model's rate stays known. Default: none.
    pub exploration: Exploration,
}

/// Whose outcomes a pass rate rests on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvidenceOf {
    /// Those of the local model.
    #[default]
    Model,
    /// All of the skill.
    Skill,
}

/// What counts once the window holds too few outcomes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpired {
    /// The latest ones, however old.
    #[default]
    Hold,
    /// Nothing: the skill is not measured.
    Forget,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            of: EvidenceOf::default(),
            sources: source::counted_by_default(),
            window: Period::from_text(USUAL_WINDOW),
            ttl: Period::from_text("60s"),
            min_samples: 1,
            on_expired: OnExpired::default(),
            hold_for: Period::from_text("1h"),
            exploration: Exploration::default(),
        }
    }
}
