//! One generation of the running config: the table with its secrets and clients. Immutable: a call keeps its own.

mod instead;

use std::sync::Arc;

use crds::{
    RoutingTable,
    policy::RouteMode,
    table::{ModelTarget, Skill},
};
use endpoint::bearer::TokenDigest;
use reqwest::Client;

use super::{Candidate, PolicyRefusal};
use crate::{
    brain_client::{BrainClient, RateQuery},
    evidence::EvidenceCache,
    metrics::Metrics,
    savings::Savings,
    secrets::Secrets,
    upstream::ModelClient,
};

/// Names of the models below `spec.models`.
const LOCAL: &str = "local";
const CLAUDE: &str = "claude";
const GRADER: &str = "grader";

/// Where the running policy came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// Environment variables; there is no policy file.
    Environment,
    /// The policy file.
    Policy,
    /// `last-good.yaml`, because the policy file was refused.
    LastGood,
}

impl PolicyOrigin {
    /// As `/status` reports it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Policy => "policy",
            Self::LastGood => "last_good",
        }
    }
}

/// A policy with everything that is needed to serve it.
pub struct Active {
    pub table: Arc<RoutingTable>,
    /// Hash of the policy with the texts of its ConfigMaps; the values of secrets are not part of it.
    pub hash: String,
    pub origin: PolicyOrigin,
    pub local: ModelClient,
    /// None: the caller does what the local model does not do.
    pub claude: Option<ModelClient>,
    /// What judges answers of skills with `grading.by: Grader`; none: the policy has none.
    pub grader: Option<ModelClient>,
    /// None: the policy has no brain. Kept across reloads that change neither its address nor its token.
    pub brain: Option<Arc<BrainClient>>,
    /// The brain's pass rates. Kept across reloads that change nothing about how they are asked for: the brain, the
    /// rules of `spec.evidence`, and the models' names where they are told apart.
    pub evidence: Option<Arc<EvidenceCache>>,
    /// What was saved, as the brain knows it. Kept as long as the brain.
    pub savings: Option<Arc<Savings>>,
    /// Name and digest of each access token whose Secret exists.
    pub tokens: Vec<(String, TokenDigest)>,
    /// Values of the secrets that the policy refers to, and which are missing.
    pub secrets: Secrets,
    /// Paths of fields that this version does not know.
    pub unknown_fields: Vec<String>,
}

impl Active {
    /// Adds secrets and clients to a candidate; connections and pass rates of the previous generation are kept where
    /// nothing about them changed.
    ///
    /// # Errors
    /// A CA bundle holds no usable certificate.
    pub fn new(
        candidate: Candidate,
        origin: PolicyOrigin,
        secrets: Secrets,
        previous: Option<&Self>,
        shared: &Shared,
    ) -> Result<Self, PolicyRefusal> {
        let Candidate { table, hash, unknown_fields } = candidate;
        let model = |name, target: &ModelTarget, before: Option<&ModelClient>, beside| {
            let key = target.api_key.as_ref().and_then(|reference| secrets.get(reference));
            let refused = |error| PolicyRefusal::of("policy", format!("spec.models.{name}: {error}"));
            ModelClient::after(before, beside, target.clone(), key).map_err(refused)
        };
        let before = previous.map(|previous| &previous.local);
        let local = model(LOCAL, &table.local, before, None)?;
        // `contract` part 5: from the environment alone each local error is retried on Claude.
        let local = match origin {
            PolicyOrigin::Environment => local,
            PolicyOrigin::Policy | PolicyOrigin::LastGood => local.with_circuit(before, instead::of_local(&table)),
        };
        let before = previous.and_then(|previous| previous.claude.as_ref());
        let of_claude = |target| model(CLAUDE, target, before, Some(&local));
        let claude = table.claude.model().map(of_claude).transpose()?;
        let before = previous.and_then(|previous| previous.grader.as_ref());
        let of_grader = |target| model(GRADER, target, before, claude.as_ref());
        let grader = table.grader.as_ref().map(of_grader).transpose()?;
        let brain = brain_of(&table, &secrets, previous, shared);
        let evidence = evidence_of(&table, brain.as_ref(), previous, shared);
        let savings = savings_of(brain.as_ref(), previous);
        let tokens =
            table.access.tokens.iter().filter_map(|(name, reference)| {
                secrets.get(reference).map(|token| (name.clone(), TokenDigest::of(token)))
            });
        let tokens = tokens.collect();
        // Only now, because a policy that is refused must change nothing.
        local.take_effect(previous.map(|previous| &previous.local));
        [claude.as_ref(), grader.as_ref()].into_iter().flatten().for_each(|model| model.take_effect(None));
        Ok(Self {
            local,
            claude,
            grader,
            brain,
            evidence,
            savings,
            tokens,
            hash,
            origin,
            secrets,
            unknown_fields,
            table,
        })
    }

    /// The models that are called, with their names in the policy.
    pub fn models(&self) -> impl Iterator<Item = (&'static str, &ModelClient)> {
        self.models_by_name().into_iter().filter_map(|(name, model)| Some((name, model?)))
    }

    /// All that a policy can name; none: this one has no such model that is called.
    pub fn models_by_name(&self) -> [(&'static str, Option<&ModelClient>); 3] {
        [(LOCAL, Some(&self.local)), (CLAUDE, self.claude.as_ref()), (GRADER, self.grader.as_ref())]
    }

    /// Where the skill's pass rate is; none: there is no brain, or the skill is pinned and needs none.
    pub fn evidence_of(&self, skill: &Skill) -> Option<&Arc<EvidenceCache>> {
        self.evidence.as_ref().filter(|_| skill.route == RouteMode::Auto)
    }

    /// Whether the policy requires a token and none of its Secrets exists: then nobody can call.
    pub fn is_closed(&self) -> bool {
        !self.table.access.tokens.is_empty() && self.tokens.is_empty()
    }
}

/// What all generations of the config share.
pub struct Shared {
    /// For requests to the brain.
    pub client: Client,
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

fn savings_of(brain: Option<&Arc<BrainClient>>, previous: Option<&Active>) -> Option<Arc<Savings>> {
    let brain = brain?;
    let before = previous.and_then(|previous| previous.savings.as_ref()).filter(|savings| savings.asks(brain));
    Some(before.cloned().unwrap_or_else(|| Arc::new(Savings::of(Arc::clone(brain)))))
}

fn evidence_of(
    table: &RoutingTable,
    brain: Option<&Arc<BrainClient>>,
    previous: Option<&Active>,
    shared: &Shared,
) -> Option<Arc<EvidenceCache>> {
    let brain = brain?;
    let query = RateQuery::of(table);
    let unchanged = previous.and_then(|p| p.evidence.as_ref()).filter(|e| e.answers(brain, &table.evidence, &query));
    match unchanged {
        Some(evidence) => Some(Arc::clone(evidence)),
        None => {
            let (rules, metrics) = (table.evidence.clone(), Arc::clone(&shared.metrics));
            Some(Arc::new(EvidenceCache::new(Arc::clone(brain), rules, query, metrics)))
        }
    }
}

#[cfg(test)]
mod tests;
