//! Starts a config, and replaces it when its policy or its secrets change. A config that cannot run never replaces one
//! that does.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use crds::{
    builtin::BuiltinPrompts,
    pod::{MissingSecret, RefusedConfig},
};
use tokio::sync::watch;

use super::{
    Candidate, PolicyRefusal, PolicySource,
    active::{Active, PolicyOrigin, Shared},
    reader::PolicyReader,
    watch::Writers,
};
use crate::{brain_client::BrainClient, clock, metrics::Metrics, secrets::SecretSource};

/// Neither the policy nor the last good one can run.
#[derive(Debug, thiserror::Error)]
#[error("{policy}{}", last_good.as_ref().map(|r| format!("\nthe last good one fails, too:\n{r}")).unwrap_or_default())]
pub struct StartError {
    /// Why the policy cannot run.
    pub policy: PolicyRefusal,
    /// Why the last good one cannot run either; none: there is no such file.
    pub last_good: Option<PolicyRefusal>,
}

/// The running config and its source.
pub struct Config {
    reader: PolicyReader,
    secrets: SecretSource,
    shared: Shared,
    active: ArcSwap<Active>,
    refused: ArcSwapOption<RefusedConfig>,
    /// Secrets that the latest policy waits for.
    awaited: ArcSwap<Vec<MissingSecret>>,
    /// Whether any config has had all its secrets.
    was_whole: AtomicBool,
    tools_revision: watch::Sender<u64>,
    generation: watch::Sender<u64>,
    reloading: Mutex<()>,
    writers: Writers,
}

impl Config {
    /// Reads and starts the policy or, if it is refused, the last good one beside it.
    ///
    /// # Errors
    /// Neither can run.
    pub fn start(
        source: PolicySource,
        secrets: SecretSource,
        prompts: BuiltinPrompts,
        shared: Shared,
    ) -> Result<Self, StartError> {
        let reader = PolicyReader::new(source, prompts);
        let (active, refused) = started(&reader, &secrets, &shared)?;
        report(&active);
        report_missing(&active);
        Ok(Self {
            reader,
            secrets,
            shared,
            was_whole: AtomicBool::new(active.secrets.missing().is_empty()),
            active: ArcSwap::from_pointee(active),
            refused: ArcSwapOption::from(refused.map(Arc::new)),
            awaited: ArcSwap::default(),
            tools_revision: watch::channel(0).0,
            generation: watch::channel(0).0,
            reloading: Mutex::new(()),
            writers: Writers::default(),
        })
    }

    /// The config in force.
    pub fn active(&self) -> Arc<Active> {
        self.active.load_full()
    }

    /// The latest policy, if it was refused.
    pub fn refused(&self) -> Option<Arc<RefusedConfig>> {
        self.refused.load_full()
    }

    /// The secrets that the latest policy waits for; until they exist, the config before it stays in force.
    pub fn awaited(&self) -> Arc<Vec<MissingSecret>> {
        self.awaited.load_full()
    }

    /// Whether calls should be sent here: not before all secrets have existed once, so that a new pod that lacks one
    /// does not replace an old pod that has them all. Once ready, it stays ready.
    ///
    /// # Errors
    /// The secrets that are missing.
    pub fn readiness(&self) -> Result<(), Vec<MissingSecret>> {
        if self.was_whole.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(self.active().secrets.missing().to_vec())
    }

    /// Changes whenever the list of tools does.
    pub fn tools_revision(&self) -> watch::Receiver<u64> {
        self.tools_revision.subscribe()
    }

    /// Changes whenever another config, or another secret, takes effect.
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Where the policy and its secrets are read from, for the watcher.
    pub fn source(&self) -> (&PolicySource, &SecretSource) {
        (self.reader.source(), &self.secrets)
    }

    /// Who writes to the files, as far as events tell it; for the watcher.
    pub(super) fn writers(&self) -> &Writers {
        &self.writers
    }

    /// Reads the policy and its secrets again, and puts changes in force. What somebody writes to is left for later: the
    /// end of the writing is an event.
    pub fn reload(&self) {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.active();
        let read = self.reader.read();
        // After reading: a file that was still for long enough to be read has had its event by now.
        if self.writers.are_at_work() {
            return;
        }
        match read {
            Ok(candidate) if candidate.hash == running.hash && running.origin != PolicyOrigin::LastGood => {
                self.forget_refusal();
                self.wait_for(vec![]);
                self.renew_secrets(&running);
            }
            Ok(candidate) => self.replace(candidate, &running),
            Err(refusal) => {
                self.refuse(&refusal);
                self.wait_for(vec![]);
                self.renew_secrets(&running);
            }
        }
    }

    fn replace(&self, candidate: Candidate, running: &Active) {
        let secrets = self.secrets.read(candidate.table.secrets());
        if self.writers.are_at_work() {
            return;
        }
        // A pod created before the policy referred to a Secret does not have it mounted; the pod that replaces it has.
        let awaited = secrets.missing_beside(&running.secrets);
        let waits = !awaited.is_empty();
        self.wait_for(awaited);
        if waits {
            // What was refused before is not there any more.
            self.forget_refusal();
            self.renew_secrets(running);
            return;
        }
        match Active::new(candidate, origin_of(self.reader.source()), secrets, Some(running), &self.shared) {
            Ok(active) => {
                self.forget_refusal();
                self.swap(active, running);
                self.shared.metrics.reload("applied");
            }
            Err(refusal) => {
                self.refuse(&refusal);
                self.renew_secrets(running);
            }
        }
    }

    fn renew_secrets(&self, running: &Active) {
        let secrets = self.secrets.read(running.table.secrets());
        if self.writers.are_at_work() || secrets.same_as(&running.secrets) {
            return;
        }
        let candidate = Candidate {
            table: Arc::clone(&running.table),
            hash: running.hash.clone(),
            unknown_fields: running.unknown_fields.clone(),
        };
        match Active::new(candidate, running.origin, secrets, Some(running), &self.shared) {
            Ok(active) => {
                self.swap(active, running);
                self.shared.metrics.reload("secrets_applied");
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn swap(&self, active: Active, running: &Active) {
        if active.hash != running.hash || active.origin != running.origin {
            report(&active);
        }
        report_secrets(&active, running);
        self.was_whole.fetch_or(active.secrets.missing().is_empty(), Ordering::Relaxed);
        let tools_changed = !active.table.offers_the_same_tools_as(&running.table);
        let is_kept = |brain: &Arc<BrainClient>| active.brain.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, brain));
        if let Some(brain) = running.brain.as_ref().filter(|brain| !is_kept(brain)) {
            brain.retire();
        }
        self.active.store(Arc::new(active));
        self.generation.send_modify(|generation| *generation += 1);
        if tools_changed {
            self.tools_revision.send_modify(|revision| *revision += 1);
        }
    }

    fn wait_for(&self, secrets: Vec<MissingSecret>) {
        if **self.awaited.load() == secrets {
            return;
        }
        for secret in &secrets {
            tracing::warn!(%secret, "the changed policy waits for a secret; the running config stays in force");
        }
        self.awaited.store(Arc::new(secrets));
    }

    fn refuse(&self, refusal: &PolicyRefusal) {
        let reason = refusal.to_string();
        if self.refused.load().as_ref().is_some_and(|known| known.reason == reason) {
            return;
        }
        tracing::error!(reason, "the changed policy is refused; the running config stays in force");
        self.shared.metrics.reload("refused");
        self.refused.store(Some(Arc::new(refused_now(refusal))));
    }

    fn forget_refusal(&self) {
        if self.refused.swap(None).is_some() {
            tracing::info!("the policy is accepted again");
        }
    }
}

/// The policy or, if it is refused, the last good one and the refusal.
fn started(
    reader: &PolicyReader,
    secrets: &SecretSource,
    shared: &Shared,
) -> Result<(Active, Option<RefusedConfig>), StartError> {
    let start = |candidate: Candidate, origin| {
        let read = secrets.read(candidate.table.secrets());
        Active::new(candidate, origin, read, None, shared)
    };
    let refusal = match reader.read().and_then(|candidate| start(candidate, origin_of(reader.source()))) {
        Ok(active) => return Ok((active, None)),
        Err(refusal) => refusal,
    };
    let last_good = reader.read_last_good().map(|read| read.and_then(|read| start(read, PolicyOrigin::LastGood)));
    match last_good {
        Some(Ok(active)) => {
            tracing::error!(reason = %refusal, hash = active.hash, "the policy is refused; the last good one runs");
            Ok((active, Some(refused_now(&refusal))))
        }
        Some(Err(last_good)) => Err(StartError { policy: refusal, last_good: Some(last_good) }),
        None => Err(StartError { policy: refusal, last_good: None }),
    }
}

/// The origin of a policy that is read from this source.
fn origin_of(source: &PolicySource) -> PolicyOrigin {
    match source {
        PolicySource::Environment(_) => PolicyOrigin::Environment,
        PolicySource::File { .. } => PolicyOrigin::Policy,
    }
}

fn refused_now(refusal: &PolicyRefusal) -> RefusedConfig {
    RefusedConfig { reason: refusal.to_string(), since_ms: clock::now_ms() }
}

fn report(active: &Active) {
    let origin = active.origin.as_str();
    tracing::info!(hash = active.hash, origin, skills = active.table.skills.len(), "config loaded");
    if !active.unknown_fields.is_empty() {
        tracing::warn!(
            fields = active.unknown_fields.join(", "),
            "the policy has fields that this version does not know"
        );
    }
    for warning in active.table.warnings() {
        tracing::warn!(warning, "some clients cannot use a skill");
    }
    if active.table.access.tokens.is_empty() {
        tracing::warn!("anyone who reaches the endpoint can call it; set spec.access.tokens or ROUTING_MCP_TOKEN");
    }
}

/// By name and key, never by value: a rotated secret leaves the config's hash as it is.
fn report_secrets(active: &Active, running: &Active) {
    let changed = active.secrets.changed_since(&running.secrets);
    if !changed.is_empty() {
        tracing::info!(secrets = changed.join(", "), "secrets changed");
    }
    report_missing(active);
}

fn report_missing(active: &Active) {
    for missing in active.secrets.missing() {
        tracing::warn!(%missing, "a secret is missing");
    }
}
