//! What is remembered of each policy between reconciliations. All of it can be lost: a new operator finds the rest in the
//! cluster. What a step remembers is defined with that step; only the driver opens it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::api::ObjectMeta;

use super::{apply::ChildStates, nudge::Nudges, report::Reported, requeue::Unsettled};

/// Above this number of policies those that are gone are looked for.
const FORGET_ABOVE: usize = 1_000;
/// A policy that was not reconciled for this long is gone: each is reconciled every few minutes at least.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// What is remembered of one policy.
#[derive(Clone, Default, Debug)]
pub struct PolicyState {
    uid: String,
    used_at: Option<Instant>,
    /// Reconciliations that failed in a row.
    pub failures: u32,
    /// What was applied and what was refused.
    pub children: ChildStates,
    /// Which pods were nudged towards which config.
    pub nudges: Nudges,
    /// Which config is not yet what all pods run, and since when.
    pub unsettled: Unsettled,
    /// What was last reported.
    pub reported: Reported,
}

/// The states of all policies, by namespace and name.
#[derive(Default)]
pub struct States(Mutex<HashMap<(String, String), PolicyState>>);

impl States {
    /// A copy of a policy's state, so that a reconciliation that is cut off forgets nothing; an empty one for a new policy,
    /// also when an earlier one had its name.
    pub fn get(&self, policy: &ObjectMeta) -> PolicyState {
        let uid = policy.uid.clone().unwrap_or_default();
        let kept = self.lock().get(&key(policy)).filter(|state| state.uid == uid).cloned();
        PolicyState { uid, used_at: Some(Instant::now()), ..kept.unwrap_or_default() }
    }

    /// Keeps the state of a policy.
    pub fn insert(&self, policy: &ObjectMeta, state: PolicyState) {
        let mut all = self.lock();
        all.insert(key(policy), state);
        if all.len() > FORGET_ABOVE {
            all.retain(|_, state| state.used_at.is_some_and(|used| used.elapsed() < FORGET_AFTER));
        }
    }

    /// Counts a failed reconciliation; returns how many failed in a row.
    pub fn failed(&self, policy: &ObjectMeta) -> u32 {
        let mut state = self.get(policy);
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        self.insert(policy, state);
        failures
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), PolicyState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(policy: &ObjectMeta) -> (String, String) {
    (policy.namespace.clone().unwrap_or_default(), policy.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, uid: &str) -> ObjectMeta {
        ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), ..ObjectMeta::default() }
    }

    #[test]
    fn failures_are_counted_for_each_policy_alone_and_forgotten_with_it() {
        let states = States::default();
        assert_eq!((states.failed(&policy("a", "1")), states.failed(&policy("a", "1"))), (1, 2));
        assert_eq!(states.failed(&policy("b", "2")), 1);
        assert_eq!(states.failed(&policy("a", "3")), 1, "a new policy with the same name starts over");
    }
}
