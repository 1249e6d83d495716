//! What a policy compiles to: everything a call needs, checked and parsed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use url::Url;

use crate::{
    arguments::ArgumentSchema,
    policy::{DecisionLine, OnLocalError, RouteMode, SecretKeyRef},
    template::Template,
};

/// A compiled policy. Immutable: a changed policy makes a new table, and calls in flight keep theirs.
#[derive(Debug)]
pub struct RoutingTable {
    /// The local model.
    pub local: ModelTarget,
    /// Claude.
    pub claude: ModelTarget,
    /// The brain; none: no evidence.
    pub brain: Option<BrainTarget>,
    /// How evidence is asked for and kept.
    pub evidence: EvidenceRules,
    /// The skills by name.
    pub skills: BTreeMap<String, Arc<Skill>>,
    /// Who may call.
    pub access: AccessRules,
    /// Budget of a whole call.
    pub total_timeout: Duration,
    /// Calls worked on at the same time.
    pub in_flight: usize,
    /// Whether answers carry the decision line.
    pub decision_line: DecisionLine,
    /// Port of `/mcp`.
    pub port: u16,
}

/// A model and how to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTarget {
    /// Name in the request.
    pub model: String,
    /// The endpoint's `…/v1/chat/completions`.
    pub url: Url,
    /// The key to send.
    pub api_key: Option<SecretKeyRef>,
    /// PEM of a private authority.
    pub ca_bundle: Option<String>,
    /// Merged into the request.
    pub parameters: Map<String, Value>,
    /// Longest attempt; none: what is left of the call's budget.
    pub timeout: Option<Duration>,
}

/// The brain's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrainTarget {
    /// Base URL.
    pub url: Url,
    /// The token to send.
    pub token: Option<SecretKeyRef>,
}

/// How evidence is asked for and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRules {
    /// Passed to the brain as written.
    pub window: String,
    /// Cache time.
    pub ttl: Duration,
    /// Fewer samples count as no pass rate.
    pub min_samples: u64,
    /// How long the last known rate is kept while the brain cannot be reached.
    pub hold_for: Duration,
}

/// Floor and ceil as numbers, `0 <= ceil <= floor <= 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdValues {
    /// At or above: local.
    pub floor: f64,
    /// Below: Claude.
    pub ceil: f64,
}

/// A skill, ready to serve.
#[derive(Debug)]
pub struct Skill {
    /// The tool's name.
    pub name: String,
    /// For the calling model.
    pub description: String,
    /// As listed.
    pub input_schema: Arc<Map<String, Value>>,
    /// As checked.
    pub arguments: ArgumentSchema,
    /// The model calls, at least one.
    pub stages: Vec<Stage>,
    /// This skill's thresholds.
    pub thresholds: ThresholdValues,
    /// By pass rate, or pinned.
    pub route: RouteMode,
    /// What follows a local error.
    pub on_local_error: OnLocalError,
}

/// One model call of a skill.
#[derive(Debug)]
pub struct Stage {
    /// The system prompt.
    pub system: String,
    /// The user prompt.
    pub user: Template,
}

/// Who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Caller names and where their tokens are; empty: open.
    pub tokens: Vec<(String, SecretKeyRef)>,
    /// Origins beside loopback, lower case.
    pub origins: Vec<String>,
    /// Hosts, lower case; empty: any.
    pub hosts: Vec<String>,
}

impl RoutingTable {
    /// Whether both tables show their callers the same tools.
    #[must_use]
    pub fn offers_the_same_tools_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Skill>, &Arc<Skill>)| {
            a.name == b.name && a.description == b.description && a.input_schema == b.input_schema
        };
        self.skills.len() == other.skills.len() && self.skills.values().zip(other.skills.values()).all(same)
    }

    /// Every Secret key that the table refers to.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let models = [&self.local, &self.claude].into_iter().filter_map(|target| target.api_key.as_ref());
        let brain = self.brain.iter().filter_map(|brain| brain.token.as_ref());
        models.chain(brain).chain(self.access.tokens.iter().map(|(_, secret)| secret))
    }
}
