//! What a pod reports about the models that it calls.

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::table::ClaudeTarget;

/// Whether a model's endpoint can be reached. The caller, which may do Claude's work, has no endpoint.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelReport {
    /// Which of the policy's models: `local` or `claude`.
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// The model's name in requests.
    #[serde(deserialize_with = "lenient")]
    pub model: String,
    /// Host and port of its endpoint, for example `litellm:4000`; empty: the caller does the work.
    #[serde(deserialize_with = "lenient")]
    pub endpoint: String,
    /// Whether the endpoint answered last, whatever it answered; none: it was not asked yet.
    #[serde(deserialize_with = "lenient")]
    pub reachable: Option<bool>,
    /// Since when, in milliseconds since 1970.
    #[serde(deserialize_with = "lenient")]
    pub since_ms: Option<u64>,
    /// HTTP status of the endpoint's last answer to `GET /v1/models`, unless that was the list of its models.
    #[serde(deserialize_with = "lenient")]
    pub models_status: Option<u16>,
    /// Why calls of the model fail, or may fail, with the cure; empty: nothing is known to be wrong.
    #[serde(deserialize_with = "lenient")]
    pub problem: String,
    /// Whether it is left alone because it fails; none: it has no circuit.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitReport>,
    /// Calls of it that are under way.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Calls that wait for their turn with it.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Most calls of it at the same time; none: no limit.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u64>,
}

/// The states of a circuit.
pub mod circuit {
    /// The model is called.
    pub const CLOSED: &str = "closed";
    /// It failed several times in a row, and is not called until the next trial.
    pub const OPEN: &str = "open";
    /// As `OPEN`, but a trial is due or under way.
    pub const HALF_OPEN: &str = "half_open";
}

/// Whether a model that fails is left alone.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitReport {
    /// One of the names in [`circuit`].
    #[serde(deserialize_with = "lenient")]
    pub state: String,
    /// Failures in a row.
    #[serde(deserialize_with = "lenient")]
    pub failures: u64,
    /// When it is tried again, in milliseconds since 1970; none: it is not `open`.
    #[serde(deserialize_with = "lenient")]
    pub next_trial_ms: Option<u64>,
}

impl CircuitReport {
    /// Whether calls are left out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        [circuit::OPEN, circuit::HALF_OPEN].contains(&self.state.as_str())
    }
}

impl ModelReport {
    /// Claude's, where the caller does the work.
    #[must_use]
    pub fn of_the_caller() -> Self {
        Self { name: "claude".into(), model: ClaudeTarget::CALLER.into(), ..Self::default() }
    }

    /// Whether it is about a model that is called.
    #[must_use]
    pub fn has_endpoint(&self) -> bool {
        !self.endpoint.is_empty()
    }
}
