//! The rules of evidence that a pod runs, as it reports them.

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::{
    policy::{CheckCounts, EvidenceOf, ExplorationMode, GradedBy, OnExpired, OnFailedCheck, Source},
    table::{EvidenceRules, ExplorationRules, GradingRules, ReviewRules, SkillCheck},
};

/// Which outcomes the pass rates rest on, and which calls go against them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct EvidenceReport {
    /// Whose outcomes count.
    #[serde(deserialize_with = "lenient")]
    pub of: EvidenceOf,
    /// Which verdicts count, with `of: Model`.
    #[serde(deserialize_with = "lenient")]
    pub sources: Vec<Source>,
    /// How far back outcomes count, for example `7d`.
    #[serde(deserialize_with = "lenient")]
    pub window: String,
    /// With fewer outcomes a skill is not measured.
    #[serde(deserialize_with = "lenient")]
    pub min_samples: u64,
    /// What counts once the window holds fewer.
    #[serde(deserialize_with = "lenient")]
    pub on_expired: OnExpired,
    /// What becomes of calls that explore.
    #[serde(deserialize_with = "lenient")]
    pub exploration: ExplorationMode,
    /// Part of the calls that the rate sends to Claude, from 0 to 1.
    #[serde(deserialize_with = "lenient")]
    pub share: f64,
    /// Part of the calls that would stay local, from 0 to 1.
    #[serde(deserialize_with = "lenient")]
    pub claude_share: f64,
}

/// The check of a skill's answers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckReport {
    /// Which results are reported as outcomes.
    #[serde(deserialize_with = "lenient")]
    pub counts: CheckCounts,
    /// What follows if an answer of the local model fails it.
    #[serde(deserialize_with = "lenient")]
    pub on_failed: OnFailedCheck,
}

/// How a model judges samples of a skill's answers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct GradingReport {
    /// Part of the answers, from 0 to 1.
    #[serde(deserialize_with = "lenient")]
    pub share: f64,
    /// The judging model.
    #[serde(deserialize_with = "lenient")]
    pub by: GradedBy,
    /// Whether its judgements count for the pass rate.
    #[serde(deserialize_with = "lenient")]
    pub counts: bool,
    /// Most judgements in an hour.
    #[serde(deserialize_with = "lenient")]
    pub max_per_hour: u64,
    /// How many of these are left now.
    #[serde(deserialize_with = "lenient")]
    pub left: u64,
}

/// Which answers the brain keeps for review.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ReviewReport {
    /// How long, in milliseconds.
    #[serde(deserialize_with = "lenient")]
    pub keep_ms: u64,
    /// Part of the answers, more than 0 and at most 1.
    #[serde(deserialize_with = "lenient")]
    pub share: f64,
    /// Why none is kept all the same, with the cure; empty: nothing is known to be wrong.
    #[serde(deserialize_with = "lenient")]
    pub problem: String,
}

impl ReviewReport {
    /// The report on the rules of a policy.
    #[must_use]
    pub fn of(ReviewRules { keep, share }: ReviewRules, problem: String) -> Self {
        Self { keep_ms: u64::try_from(keep.as_millis()).unwrap_or(u64::MAX), share, problem }
    }
}

impl EvidenceReport {
    /// The report on the rules of a policy with a brain.
    #[must_use]
    pub fn of(evidence: &EvidenceRules, exploration: ExplorationRules) -> Self {
        let ExplorationRules { mode, share, claude_share } = exploration;
        Self {
            of: evidence.of,
            sources: evidence.sources.clone(),
            window: evidence.window.clone(),
            min_samples: evidence.min_samples,
            on_expired: evidence.on_expired,
            exploration: mode,
            share,
            claude_share,
        }
    }
}

impl From<&SkillCheck> for CheckReport {
    fn from(check: &SkillCheck) -> Self {
        Self { counts: check.counts, on_failed: check.on_failed }
    }
}

impl GradingReport {
    /// The report on the rules of a skill, of whose judgements so many began within the last hour.
    #[must_use]
    pub fn of(rules: &GradingRules, began: usize) -> Self {
        let GradingRules { share, max_per_hour, by, counts, .. } = rules;
        let left = max_per_hour.saturating_sub(began) as u64;
        Self { share: *share, by: *by, counts: *counts, max_per_hour: *max_per_hour as u64, left }
    }
}
