//! The routing decision (`contract`, part 2). No I/O: a function of the evidence, the thresholds and the request.

use crds::{policy::RouteMode, table::ThresholdValues};
use serde::Serialize;
use sha2::{Digest, Sha256};

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
    /// The local model failed.
    AfterLocalError,
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
            Self::AfterLocalError => "after_local_error",
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
}

/// Decides by the pass rate alone: at or above floor local, below ceil Claude, between them the hash's lowest bit.
pub fn decide(pass_rate: Option<f64>, thresholds: ThresholdValues, hash: u64) -> (Decision, Reason) {
    match pass_rate {
        None => (Decision::Local, Reason::NoPassRate),
        Some(rate) if rate >= thresholds.floor => (Decision::Local, Reason::AtOrAboveFloor),
        Some(rate) if rate < thresholds.ceil => (Decision::Claude, Reason::BelowCeil),
        Some(_) if hash & 1 == 0 => (Decision::Local, Reason::Split),
        Some(_) => (Decision::Claude, Reason::Split),
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
}

/// Decides for a skill: a pinned route first, then too few samples count as no pass rate, then [`decide`].
pub fn decide_for_skill(
    route: RouteMode,
    measured: Measured,
    min_samples: u64,
    thresholds: ThresholdValues,
    hash: u64,
) -> Decided {
    let effective_rate = measured.pass_rate.filter(|_| measured.samples.is_none_or(|samples| samples >= min_samples));
    let (decision, reason) = match (route, effective_rate) {
        (RouteMode::Local, _) => (Decision::Local, Reason::Pinned),
        (RouteMode::Claude, _) => (Decision::Claude, Reason::Pinned),
        (RouteMode::Auto, None) if measured.pass_rate.is_some() => (Decision::Local, Reason::TooFewSamples),
        (RouteMode::Auto, rate) => decide(rate, thresholds, hash),
    };
    Decided { decision, reason, effective_rate }
}

/// The first 8 bytes, big endian, of SHA-256(system ‖ 0x00 ‖ user); no normalisation of either text.
pub fn request_hash(system: &str, user: &str) -> u64 {
    let mut digest = Sha256::new();
    digest.update(system.as_bytes());
    digest.update([0]);
    digest.update(user.as_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}

#[cfg(test)]
mod tests;
