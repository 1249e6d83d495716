//! What a decision rests on besides the contract's pass rate and thresholds. What does not apply is left out.

use std::time::Duration;

use crds::{
    RoutingTable,
    policy::{Evidence, RelativeTo, Source},
    table::Skill,
};
use serde::Serialize;

use crate::decide::{Arms, Decided, Measured};

/// The evidence behind a decision, as far as the models are told apart and the policy asks for more than the contract.
#[derive(Serialize, Clone, Debug, Default, PartialEq)]
pub struct Basis {
    /// The local model whose pass rate it is; none: it is that of the skill, whichever model answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_of: Option<String>,
    /// The verdicts that count, if the policy names others than those of the default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The floor as a pass rate, if the policy's is a share of Claude's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_floor: Option<f64>,
    /// The ceil as a pass rate, if the policy's is a share of Claude's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_ceil: Option<f64>,
    /// Claude's own pass rate, whether or not it counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_pass_rate: Option<f64>,
    /// Outcomes behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claude_samples: Option<u64>,
    /// The pass rate rests on outcomes older than the window.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Age of the newest of these, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_age_ms: Option<u64>,
    /// The probability, over all requests, with which the local model is chosen given the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_local: Option<f64>,
}

impl Basis {
    /// What `decided` rests on, for a skill of a policy with this table.
    pub fn of(decided: &Decided, measured: Measured, table: &RoutingTable, skill: &Skill) -> Self {
        let relative = skill.relative_to == RelativeTo::Claude;
        let named = measured.arms.is_some() && table.evidence.sources != Evidence::default().sources;
        let Arms { claude, held, held_age, .. } = measured.arms.unwrap_or_default();
        let effective = |threshold| relative.then_some(threshold);
        Self {
            evidence_of: measured.arms.map(|_| table.local.model.clone()),
            sources: if named { table.evidence.sources_of(skill) } else { vec![] },
            effective_floor: effective(decided.thresholds.floor),
            effective_ceil: effective(decided.thresholds.ceil),
            claude_pass_rate: claude.pass_rate,
            claude_samples: claude.samples,
            held,
            held_age_ms: held_age.map(milliseconds),
            p_local: Some(decided.p_local),
        }
    }
}

/// A length of time as records write it.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
