//! The routing decision (`contract`, part 2). No I/O: a function of the evidence, the thresholds and the request.

mod explore;

use std::time::Duration;

use crds::{
    RoutingTable,
    policy::{RelativeTo, RouteMode, RouteStatus},
    table::{ExplorationRules, Skill, ThresholdValues},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Number of values that 16 bits have.
const STEPS: f64 = 65_536.0;

/// Where a call goes.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The local model.
    Local,
    /// Claude, by the skill's pass rate or because it is pinned.
    Claude,
    /// Claude, because the local model failed.
    ClaudeFallback,
    /// Claude, because the answer of the local model failed the skill's check.
    ClaudeEscalation,
}

impl Decision {
    /// The name in logs, records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Claude => "claude",
            Self::ClaudeFallback => "claude_fallback",
            Self::ClaudeEscalation => "claude_escalation",
        }
    }

    /// Which of the two models it means.
    pub fn arm(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Claude | Self::ClaudeFallback | Self::ClaudeEscalation => "claude",
        }
    }
}

/// Why a call goes where it goes.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Never measured, or the brain did not answer.
    NoPassRate,
    /// Measured, but less often than `evidence.minSamples`.
    TooFewSamples,
    /// The rate is at or above the floor.
    AtOrAboveFloor,
    /// The rate is below the ceil.
    BelowCeil,
    /// The rate is between the two: the request's hash decides.
    Split,
    /// The skill's `route` is `local` or `claude`.
    Pinned,
    /// Against the pass rate, so that the other model's rate stays known.
    Explored,
    /// The local model failed.
    AfterLocalError,
    /// The local model has failed several times in a row, and was not asked.
    LocalCircuitOpen,
    /// The local model had no place for this call in time, and was not asked.
    LocalBusy,
    /// The answer of the local model failed the skill's check.
    FailedCheck,
}

impl Reason {
    /// The name in logs, records and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPassRate => "no_pass_rate",
            Self::TooFewSamples => "too_few_samples",
            Self::AtOrAboveFloor => "at_or_above_floor",
            Self::BelowCeil => "below_ceil",
            Self::Split => "split",
            Self::Pinned => "pinned",
            Self::Explored => "explored",
            Self::AfterLocalError => "after_local_error",
            Self::LocalCircuitOpen => "local_circuit_open",
            Self::LocalBusy => "local_busy",
            Self::FailedCheck => "failed_check",
        }
    }
}

/// What is known about a skill when a call comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// The pass rate; none: not measured.
    pub pass_rate: Option<f64>,
    /// Outcomes behind the rate; none: the brain does not report it.
    pub samples: Option<u64>,
    /// What the brain tells of the two models apart; none: it does not, and the rate is that of the skill.
    pub arms: Option<Arms>,
}

/// What is known when the models are told apart; the pass rate is then that of the local model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arms {
    /// Claude's own rate.
    pub claude: Rate,
    /// The local model's rate rests on outcomes older than the window.
    pub held: bool,
    /// Age of the newest of these, if the brain reports it.
    pub held_age: Option<Duration>,
    /// Verdicts of both models that count, if the brain reports them.
    pub verdicts: Option<u64>,
    /// Decisions of the skill in the window, if the brain reports them.
    pub decisions: Option<u64>,
}

/// A pass rate and what it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// From 0 to 1; none: not measured.
    pub pass_rate: Option<f64>,
    /// Outcomes behind it; none: the brain does not report it.
    pub samples: Option<u64>,
}

impl Rate {
    /// The rate if it counts: one that rests on fewer than `min_samples` outcomes does not.
    pub fn counting(self, min_samples: u64) -> Option<f64> {
        self.pass_rate.filter(|_| self.samples.is_none_or(|samples| samples >= min_samples))
    }
}

impl Measured {
    /// The rate that decides: the local model's, or the skill's.
    pub fn rate(self) -> Rate {
        Rate { pass_rate: self.pass_rate, samples: self.samples }
    }
}

/// Decides by the pass rate alone: at or above floor local, below ceil Claude, between them the hash's lowest bit.
pub fn decide(pass_rate: Option<f64>, thresholds: ThresholdValues, hash: u64) -> (Decision, Reason) {
    match pass_rate.map(|rate| thresholds.route(rate)) {
        None => (Decision::Local, Reason::NoPassRate),
        Some(RouteStatus::Local) => (Decision::Local, Reason::AtOrAboveFloor),
        Some(RouteStatus::Claude) => (Decision::Claude, Reason::BelowCeil),
        Some(RouteStatus::Split) if hash & 1 == 0 => (Decision::Local, Reason::Split),
        Some(RouteStatus::Split) => (Decision::Claude, Reason::Split),
    }
}

/// How the calls of a skill are decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkillRules {
    /// By the pass rate, or always to one of the models.
    pub route: RouteMode,
    /// With fewer outcomes than this a rate does not count.
    pub min_samples: u64,
    /// Floor and ceil, as `relative_to` has them.
    pub thresholds: ThresholdValues,
    /// Whether they are pass rates, or shares of Claude's own rate.
    pub relative_to: RelativeTo,
    /// Which calls go against the pass rate.
    pub exploration: ExplorationRules,
}

impl SkillRules {
    /// The rules of a skill of this table.
    pub fn of(table: &RoutingTable, skill: &Skill) -> Self {
        Self {
            route: skill.route,
            min_samples: table.evidence.min_samples,
            thresholds: skill.thresholds,
            relative_to: skill.relative_to,
            exploration: table.exploration,
        }
    }

    /// The same without calls that go against the pass rate.
    pub fn by_rate_alone(self) -> Self {
        Self { exploration: ExplorationRules::OFF, ..self }
    }

    /// Floor and ceil as pass rates. Relative to Claude, its rate counts as 1 while it rests on too few outcomes.
    fn effective_thresholds(&self, measured: Measured) -> ThresholdValues {
        let ThresholdValues { floor, ceil } = self.thresholds;
        let claude = measured.arms.and_then(|arms| arms.claude.counting(self.min_samples)).unwrap_or(1.0);
        match self.relative_to {
            RelativeTo::None => self.thresholds,
            RelativeTo::Claude => ThresholdValues { floor: floor * claude, ceil: ceil * claude },
        }
    }
}

/// A decision with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decided {
    /// Where the call goes.
    pub decision: Decision,
    /// Why it goes there.
    pub reason: Reason,
    /// The pass rate that counts: none if it is based on fewer than `evidence.minSamples` outcomes.
    pub effective_rate: Option<f64>,
    /// The thresholds that applied, as pass rates.
    pub thresholds: ThresholdValues,
    /// The probability, over all requests, with which the local model is chosen given the evidence.
    pub p_local: f64,
    /// After a call to Claude the local model is asked in the background.
    pub shadowed: bool,
}

/// Decides for a skill: a pinned route first, then too few samples count as no pass rate, then [`decide`], then whether
/// the call goes against the rate.
pub fn decide_for_skill(rules: &SkillRules, measured: Measured, hash: u64) -> Decided {
    let effective_rate = measured.rate().counting(rules.min_samples);
    let thresholds = rules.effective_thresholds(measured);
    let (decision, reason) = match (rules.route, effective_rate) {
        (RouteMode::Local, _) => (Decision::Local, Reason::Pinned),
        (RouteMode::Claude, _) => (Decision::Claude, Reason::Pinned),
        (RouteMode::Auto, None) if measured.pass_rate.is_some() => (Decision::Local, Reason::TooFewSamples),
        (RouteMode::Auto, rate) => decide(rate, thresholds, hash),
    };
    let p_local = match (reason, decision) {
        (Reason::Split, _) => 0.5,
        (_, Decision::Local) => 1.0,
        _ => 0.0,
    };
    let by_rate = Decided { decision, reason, effective_rate, thresholds, p_local, shadowed: false };
    if reason == Reason::Pinned { by_rate } else { explore::applied(&rules.exploration, by_rate, hash) }
}

/// Where a request lies among all of them, from 0 to below 1: from 16 bits of its hash, `from_bit` (0 is the lowest) and
/// those above it. Each choice reads bits of its own, so that none depends on another.
pub fn place_among_all(hash: u64, from_bit: u32) -> f64 {
    let [.., high, low] = (hash >> from_bit).to_be_bytes();
    f64::from(u16::from_be_bytes([high, low])) / STEPS
}

/// Whether a request, or whatever the hash is of, belongs to a sample of this part, from 0 to 1, of all.
pub fn is_in_sample(hash: u64, from_bit: u32, share: f64) -> bool {
    place_among_all(hash, from_bit) < share
}

/// The first 8 bytes, big endian, of SHA-256(system ‖ 0x00 ‖ user); no normalisation of either text.
pub fn request_hash(system: &str, user: &str) -> u64 {
    let mut digest = Sha256::new();
    digest.update(system.as_bytes());
    digest.update([0]);
    digest.update(user.as_bytes());
    first_bytes(digest)
}

/// The first 8 bytes, big endian, of SHA-256 of an id's 16 bytes.
pub fn id_hash(id: Uuid) -> u64 {
    let mut digest = Sha256::new();
    digest.update(id.as_bytes());
    first_bytes(digest)
}

fn first_bytes(digest: Sha256) -> u64 {
    let digest: [u8; 32] = digest.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}

#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
