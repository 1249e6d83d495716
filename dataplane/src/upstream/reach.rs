//! Whether an endpoint can be reached, as calls and probes show it. No I/O.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
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
    listing: Option<Listing>,
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
            Ok(listing) => {
                known.listing = Some(listing);
                known.answers();
            }
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
        let known = self.lock();
        let problem = match (&known.cause, &known.listing) {
            (Some(cause), _) => Some(cause_text(cause)),
            (None, Some(Listing::Status(status @ (401 | 403)))) => known.refused(*status, with_key),
            (None, Some(Listing::Models(ids))) if !known.served.contains(model) => listing::lacks(model, ids),
            _ => None,
        };
        Reachability {
            reachable: known.reachable.map(|(reachable, _)| reachable),
            since_ms: known.reachable.map(|(_, since)| since),
            models_status: match known.listing {
                Some(Listing::Status(status)) => Some(status),
                _ => None,
            },
            problem: problem.unwrap_or_default(),
        }
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

    /// Some endpoints take a key for calls that they refuse for the list; a call that was answered shows it.
    fn refused(&self, status: u16, with_key: bool) -> Option<String> {
        let text = if with_key {
            "the key was refused; correct the Secret of its apiKeySecretRef, or LITELLM_API_KEY"
        } else {
            "it wants a key; give one as apiKeySecretRef, or LITELLM_API_KEY"
        };
        self.served.is_empty().then(|| format!("answered {status} to GET /v1/models: {text}"))
    }
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
