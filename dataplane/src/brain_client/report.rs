//! The brain's report on what calls did and cost, as far as it is shown. Fields that a brain does not have are empty.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    ANSWER_MAX_BYTES, BrainClient, BrainError,
    known::{KnownAgreement, TIMEOUT},
};

/// A report on a span of time.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownReport {
    pub since_ms: u64,
    pub until_ms: u64,
    pub window: String,
    pub total: KnownFigures,
    pub skills: Vec<KnownSkillReport>,
    pub counterfactual: String,
}

/// A skill's part of it.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownSkillReport {
    pub skill: String,
    #[serde(flatten)]
    pub figures: KnownFigures,
    pub arms: Vec<KnownArm>,
    pub coverage: KnownCoverage,
    pub agreement: BTreeMap<String, KnownAgreement>,
    pub pass_rate_before: Option<f64>,
}

/// What calls did and cost; money in US dollars.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownFigures {
    pub calls: u64,
    pub share_local: Option<f64>,
    pub lines: Vec<KnownLine>,
    pub fallbacks: KnownFallbacks,
    pub escalations: u64,
    pub tokens: KnownArmTokens,
    pub cost_usd: Option<f64>,
    pub saved: Option<KnownSaved>,
    pub before: Option<KnownBefore>,
}

/// The model calls of one kind.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownLine {
    pub line: String,
    pub calls: u64,
    pub tokens: KnownTokens,
    pub cost_usd: Option<f64>,
    pub priced: u64,
}

/// Tokens.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct KnownTokens {
    #[serde(rename = "in")]
    pub prompt: u64,
    pub cached: u64,
    #[serde(rename = "out")]
    pub completion: u64,
}

/// Tokens of each arm.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct KnownArmTokens {
    pub local: KnownTokens,
    pub claude: KnownTokens,
}

/// Calls that went on to Claude, and why.
#[derive(Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct KnownFallbacks {
    pub calls: u64,
    pub why: BTreeMap<String, u64>,
}

/// What was saved.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownSaved {
    pub usd: f64,
    pub low: f64,
    pub high: f64,
}

/// The period before.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownBefore {
    pub calls: u64,
    pub share_local: Option<f64>,
    pub cost_usd: Option<f64>,
    pub saved_usd: Option<f64>,
}

/// How often a model was right.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct KnownArm {
    pub arm: String,
    pub model: String,
    pub pass_rate: Option<f64>,
    pub pass: u64,
    pub fail: u64,
}

/// How many decisions were judged.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(default)]
pub struct KnownCoverage {
    pub judged: u64,
    pub decisions: u64,
}

impl BrainClient {
    /// What the calls of the last `since`, for example 7d, did and cost: as the brain says it, and read.
    ///
    /// # Errors
    /// The request failed, or the brain keeps no costs (404).
    pub async fn report(&self, since: &str) -> Result<(Value, KnownReport), BrainError> {
        let request = self.client.get(self.url("/api/v1/report")).query(&[("since", since)]).timeout(TIMEOUT);
        let body = self.json(request, ANSWER_MAX_BYTES).await?;
        let report = serde_json::from_value(body.clone()).map_err(|_| BrainError::Malformed("the report"))?;
        Ok((body, report))
    }
}
