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
mod tests {
    use super::*;
    use crate::upstream::{Unreachable, answer::Gateway};

    fn refused() -> AttemptError {
        AttemptError::Unreachable { endpoint: "h:1".into(), cause: Unreachable::Refused }
    }

    fn answered() -> Result<Answer, AttemptError> {
        let text = "hello".into();
        Ok(Answer {
            text,
            finish_reason: None,
            gateway: Gateway::default(),
            prompt_tokens: None,
            completion_tokens: None,
        })
    }

    #[test]
    fn calls_and_probes_say_whether_an_endpoint_can_be_reached_and_since_when() {
        let reach = Reach::default();
        assert_eq!(reach.of("m", true), Reachability::default(), "nothing is known");
        reach.probed(Instant::now(), Err(refused()));
        let down = reach.of("m", true);
        assert_eq!(down.reachable, Some(false));
        assert!(down.problem.starts_with("cannot be reached: the connection was refused; start"), "{down:?}");
        reach.called(Instant::now(), "m", &Err(AttemptError::TimedOut { after: Duration::ZERO }));
        assert_eq!(reach.of("m", true), down, "a slow answer says nothing");
        reach.called(Instant::now(), "m", &Err(AttemptError::Status { status: 500, kind: None }));
        assert_eq!((reach.of("m", true).reachable, reach.of("m", true).problem), (Some(true), String::new()));
        let began = Instant::now();
        reach.called(began, "m", &answered());
        reach.probed(began, Err(AttemptError::TimedOut { after: Duration::ZERO }));
        assert_eq!(reach.of("m", true).reachable, Some(true), "it answered while the probe waited");
        reach.called(Instant::now(), "m", &Err(refused()));
        assert_eq!(reach.of("m", true).reachable, Some(false));
    }

    #[test]
    fn an_endpoint_that_refuses_the_list_is_reachable_and_a_refused_key_is_named() {
        let reach = Reach::default();
        let said = |status, with_key| {
            reach.probed(Instant::now(), Ok(Listing::Status(status)));
            let said = reach.of("m", with_key);
            assert_eq!((said.reachable, said.models_status), (Some(true), Some(status)));
            said.problem
        };
        assert!(said(401, true).starts_with("answered 401 to GET /v1/models: the key was refused; "));
        assert!(said(403, false).starts_with("answered 403 to GET /v1/models: it wants a key; "));
        assert_eq!(said(404, true), "");
        reach.called(Instant::now(), "m", &answered());
        assert_eq!(said(401, true), "", "calls are answered with this key");
        reach.called(Instant::now(), "m", &Err(AttemptError::Status { status: 401, kind: None }));
        assert_ne!(said(401, true), "", "no longer");
    }

    #[test]
    fn a_model_that_is_not_listed_is_named_unless_it_answers_all_the_same() {
        let reach = Reach::default();
        reach.probed(Instant::now(), Ok(Listing::Models(vec!["other".into()])));
        let said = reach.of("m", true);
        assert!(said.problem.contains("does not list the model m") && said.problem.ends_with("other"), "{said:?}");
        assert_eq!(said.reachable, Some(true));
        reach.called(Instant::now(), "m", &answered());
        assert_eq!(reach.of("m", true).problem, "", "llama.cpp answers to any name");
        let unknown = AttemptError::UnknownModel { model: "m".into() };
        reach.called(Instant::now(), "m", &Err(unknown));
        assert_ne!(reach.of("m", true).problem, "");
    }
}
