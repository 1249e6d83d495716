//! What was saved, as a pod reports it from its brain.

use serde::{Deserialize, Serialize};

use super::lenient;

/// What calls cost and saved; money in US dollars.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct SavingsReport {
    /// How far back, for example 7d.
    #[serde(deserialize_with = "lenient")]
    pub since: String,
    /// Calls of callers.
    #[serde(deserialize_with = "lenient")]
    pub calls: u64,
    /// The part of the answers that the local model gave, from 0 to 1; none without answers.
    #[serde(deserialize_with = "lenient")]
    pub share_local: Option<f64>,
    /// What all model calls cost; none: not known.
    #[serde(deserialize_with = "lenient")]
    pub cost_usd: Option<f64>,
    /// What was saved; none: not known.
    #[serde(deserialize_with = "lenient")]
    pub saved_usd: Option<f64>,
    /// The lower end of its 95 % interval.
    #[serde(deserialize_with = "lenient")]
    pub saved_low: Option<f64>,
    /// The upper end.
    #[serde(deserialize_with = "lenient")]
    pub saved_high: Option<f64>,
}
