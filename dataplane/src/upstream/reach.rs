//! Whether an endpoint can be reached, as calls and probes show it. No I/O.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Answer, AttemptError, listing, listing::Listing};
use crate::clock;

/// Models that are remembered as served; a config has two, and names change with it.
const SERVED_MAX: usize = 16;

/// What is known about an endpoint with one key. Kept across reloads that change neither.
#[derive(Default)]
pub(super) struct Reach {
    known: Mutex<Known>,
    /// Whether anything is known.
    asked: watch::Sender<bool>,
}

#[derive(Default)]
struct Known {
    /// Whether it can be reached, and since when; none: it was not asked yet.
    reachable: Option<(bool, u64)>,
    /// Why it cannot be reached.
    cause: Option<AttemptError>,
    /// When it last answered, whatever it answered.
    answered: Option<Instant>,
    /// When the last probe began.
    probed: Option<Instant>,
    /// The last answer to a probe.
    listing: Option<Arc<Listing>>,
    /// Models that answered a call: what the listing says about them does not matter.
    served: BTreeSet<String>,
}

/// What is known about a model's endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachability {
    /// Whether it answered last; none: it was not asked yet.
    pub reachable: Option<bool>,
    /// Since when, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// HTTP status of its last answer to a probe, if that was not 2xx.
    pub models_status: Option<u16>,
    /// Why calls of the model fail, or may fail, with the cure; empty: nothing is known to be wrong.
    pub problem: String,
}

impl Reach {
    /// Notes how a call of a model ended, which began then.
    pub(super) fn called(&self, began: Instant, model: &str, result: &Result<Answer, AttemptError>) {
        let mut known = self.lock();
        match result {
            Ok(_) => {
                known.serves(model);
                known.answers();
            }
            Err(error @ AttemptError::Unreachable { .. }) => known.fails(began, error),
            // It may be slow, or the caller went away.
            Err(AttemptError::TimedOut { .. } | AttemptError::Interrupted | AttemptError::Cancelled) => {}
            Err(error) => {
                match error {
                    AttemptError::Status { status: 401 | 403, .. } => known.served.clear(),
                    AttemptError::UnknownModel { .. } => drop(known.served.remove(model)),
                    _ => {}
                }
                known.answers();
            }
        }
        self.asked.send_replace(known.reachable.is_some());
    }

    /// Notes how a probe ended, which began then.
    pub(super) fn probed(&self, began: Instant, result: Result<Listing, AttemptError>) {
        let mut known = self.lock();
        match result {
            Ok(listing) => known.lists(listing),
            // Connecting takes less: the endpoint was reached, and calls of it may do better.
            Err(AttemptError::TimedOut { after }) => known.lists(Listing::Slow(after)),
            Err(AttemptError::Interrupted) => known.lists(Listing::Unclear),
            Err(error) => known.fails(began, &error),
        }
        self.asked.send_replace(known.reachable.is_some());
    }

    /// Waits until something is known.
    pub(super) async fn asked(&self) {
        // Fails only when the sender is gone, and it is a part of `self`.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }

    /// Begins a probe; none if the last one began less than `interval` ago.
    pub(super) fn begin(&self, interval: Duration) -> Option<Instant> {
        let (mut known, now) = (self.lock(), Instant::now());
        if known.probed.is_some_and(|probed| now.duration_since(probed) < interval) {
            return None;
        }
        known.probed = Some(now);
        Some(now)
    }

    /// What is known, for a model that is called with or without a key.
    pub(super) fn of(&self, model: &str, with_key: bool) -> Reachability {
        let (mut known, listing, serves) = {
            let known = self.lock();
            let problem = known.cause.as_ref().map(cause_text).unwrap_or_default();
            let (reachable, since_ms) = known.reachable.unzip();
            let said = Reachability { reachable, since_ms, models_status: None, problem };
            (said, known.listing.clone(), (known.served.contains(model), known.served.is_empty()))
        };
        if let Some(Listing::Status(status)) = listing.as_deref() {
            known.models_status = Some(*status);
        }
        if known.problem.is_empty() {
            // Without the lock, which calls need: a list may be long.
            known.problem = listing.and_then(|listing| problem(&listing, model, serves, with_key)).unwrap_or_default();
        }
        known
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change is complete before the next can fail, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn answers(&mut self) {
        self.answered = Some(Instant::now());
        self.cause = None;
        self.turn(true);
    }

    fn lists(&mut self, listing: Listing) {
        self.listing = Some(Arc::new(listing));
        self.answers();
    }

    /// A failure of what began before the last answer says nothing new.
    fn fails(&mut self, began: Instant, error: &AttemptError) {
        if self.answered.is_none_or(|answered| answered < began) {
            self.cause = Some(error.clone());
            self.turn(false);
        }
    }

    fn turn(&mut self, reachable: bool) {
        if self.reachable.is_none_or(|(before, _)| before != reachable) {
            self.reachable = Some((reachable, clock::now_ms()));
        }
    }

    fn serves(&mut self, model: &str) {
        if !self.served.contains(model) {
            if self.served.len() >= SERVED_MAX {
                self.served.clear();
            }
            self.served.insert(model.to_string());
        }
    }
}

/// What an answer to a probe says against a model, unless a call of it, or any call with this key, was answered.
fn problem(listing: &Listing, model: &str, (served, none_served): (bool, bool), with_key: bool) -> Option<String> {
    match listing {
        Listing::Status(status @ (401 | 403)) if none_served => Some(refused(*status, with_key)),
        Listing::Models(ids) if !served => listing::lacks(model, ids),
        Listing::Slow(after) if none_served => Some(format!(
            "does not answer GET /v1/models within {:.0} s; if calls are slow, too, look at its load and its log",
            after.as_secs_f64()
        )),
        _ => None,
    }
}

/// Some endpoints take a key for calls that they refuse for the list; a call that was answered shows it.
fn refused(status: u16, with_key: bool) -> String {
    let text = if with_key {
        "the key was refused; correct the Secret of its apiKeySecretRef, or LITELLM_API_KEY"
    } else {
        "it wants a key; give one as apiKeySecretRef, or LITELLM_API_KEY"
    };
    format!("answered {status} to GET /v1/models: {text}")
}

/// The cause of a failed connection in the words of a call's error, without the endpoint.
fn cause_text(error: &AttemptError) -> String {
    match error {
        AttemptError::Unreachable { cause, .. } => format!("cannot be reached: {cause}"),
        other => format!("cannot be reached: {other}"),
    }
}

#[cfg(test)]
mod tests;
