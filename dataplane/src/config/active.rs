//! One generation of the running config: the table with its secrets and clients. Immutable; calls in flight keep theirs.

use std::sync::Arc;

use brain::bearer::TokenDigest;
use crds::RoutingTable;
use reqwest::Client;
use serde::Serialize;

use super::Candidate;
use crate::{
    brain_client::BrainClient,
    evidence::EvidenceCache,
    metrics::Metrics,
    secrets::Secrets,
    upstream::{Model, ModelError},
};

/// Which document is running.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The environment's variables.
    Environment,
    /// The policy file.
    Policy,
    /// `last-good.yaml`, because the policy file was refused.
    LastGood,
}

/// A running config.
pub struct Active {
    /// The compiled policy.
    pub table: Arc<RoutingTable>,
    /// Which config it is.
    pub hash: String,
    /// Where it came from.
    pub origin: Origin,
    /// The local model.
    pub local: Model,
    /// Claude.
    pub claude: Model,
    /// The brain.
    pub brain: Option<Arc<BrainClient>>,
    /// Its pass rates.
    pub evidence: Option<Arc<EvidenceCache>>,
    /// Callers whose token is there.
    pub tokens: Vec<(String, TokenDigest)>,
    /// The secrets, and which are missing.
    pub secrets: Secrets,
    /// Fields that this version does not know.
    pub unknown_fields: Vec<String>,
}

impl Active {
    /// Puts a candidate into service; what the previous generation knows about the same brain is kept.
    ///
    /// # Errors
    /// A CA bundle that is no certificate.
    pub fn new(
        candidate: Candidate,
        origin: Origin,
        secrets: Secrets,
        previous: Option<&Self>,
        shared: &Shared,
    ) -> Result<Self, (&'static str, ModelError)> {
        let Candidate { table, hash, unknown_fields } = candidate;
        let model = |path, target: &crds::table::ModelTarget| {
            let key = target.api_key.as_ref().and_then(|reference| secrets.get(reference));
            Model::new(target.clone(), key).map_err(|e| (path, e))
        };
        let local = model("spec.models.local", &table.local)?;
        let claude = model("spec.models.claude", &table.claude)?;
        let brain = brain_of(&table, &secrets, previous, shared);
        let evidence = evidence_of(&table, brain.as_ref(), previous, shared);
        let tokens =
            table.access.tokens.iter().filter_map(|(name, reference)| {
                secrets.get(reference).map(|token| (name.clone(), TokenDigest::of(token)))
            });
        let tokens = tokens.collect();
        Ok(Self { local, claude, brain, evidence, tokens, hash, origin, secrets, unknown_fields, table })
    }

    /// Whether a token is asked for and none is there: then nobody can call.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.table.access.tokens.is_empty() && self.tokens.is_empty()
    }
}

/// What outlives a config.
pub struct Shared {
    /// The client for brains.
    pub client: Client,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
}

fn brain_of(
    table: &RoutingTable,
    secrets: &Secrets,
    previous: Option<&Active>,
    shared: &Shared,
) -> Option<Arc<BrainClient>> {
    let target = table.brain.as_ref()?;
    let token = target.token.as_ref();
    let unchanged = previous.filter(|p| {
        let same_token = token.is_none_or(|token| p.secrets.agree_on(secrets, token));
        p.table.brain.as_ref() == Some(target) && same_token
    });
    match unchanged.and_then(|p| p.brain.clone()) {
        Some(brain) => Some(brain),
        None => Some(Arc::new(BrainClient::new(target, token.and_then(|t| secrets.get(t)), shared.client.clone()))),
    }
}

fn evidence_of(
    table: &RoutingTable,
    brain: Option<&Arc<BrainClient>>,
    previous: Option<&Active>,
    shared: &Shared,
) -> Option<Arc<EvidenceCache>> {
    let brain = brain?;
    let same_brain = |p: &&Active| p.brain.as_ref().is_some_and(|b| Arc::ptr_eq(b, brain));
    let unchanged = previous.filter(same_brain).filter(|p| p.table.evidence == table.evidence);
    match unchanged.and_then(|p| p.evidence.clone()) {
        Some(evidence) => Some(evidence),
        None => {
            let (rules, metrics) = (table.evidence.clone(), Arc::clone(&shared.metrics));
            Some(Arc::new(EvidenceCache::new(Arc::clone(brain), rules, metrics)))
        }
    }
}
