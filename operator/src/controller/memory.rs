//! What is remembered of a policy between looks. All of it can be lost: a new operator finds the rest in the cluster.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::api::ObjectMeta;

use super::{child::ChildKey, poke::Poked, refusal::Refused};

/// Pass rates are written at most this often.
const SKILLS_EVERY: Duration = Duration::from_secs(60);
/// Above this many policies those that are gone are looked for.
const FORGET_ABOVE: usize = 1_000;
/// A policy that was not looked at for this long is gone: each is looked at every few minutes at least.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// What was sent for a child, and the version that the API server made of it. While both are the same, nobody changed
/// the child and there is nothing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Fingerprint of what was sent.
    pub body: u64,
    /// The object's resourceVersion.
    pub version: String,
}

/// What is remembered of one policy.
#[derive(Clone, Default, Debug)]
pub struct Memory {
    uid: String,
    seen_at: Option<Instant>,
    /// Looks that failed in a row.
    pub failures: u32,
    /// What was applied.
    pub applied: BTreeMap<ChildKey, Sent>,
    /// What was refused.
    pub refused: BTreeMap<ChildKey, Refused>,
    /// Which pods were told of which config, by pod UID.
    pub pokes: BTreeMap<String, Poked>,
    /// Which config is not yet what all pods run, and since when.
    pub unsettled_since: Option<(Option<String>, Instant)>,
    /// When pass rates were last written.
    pub skills_written: Option<Instant>,
    /// What was last said about a policy that cannot be read.
    pub undecodable: Option<String>,
}

impl Memory {
    /// Whether pass rates may be written again.
    #[must_use]
    pub fn skills_are_due(&self) -> bool {
        self.skills_written.is_none_or(|written| written.elapsed() >= SKILLS_EVERY)
    }
}

/// The memories of all policies, by namespace and name.
#[derive(Default)]
pub struct Memories(Mutex<HashMap<(String, String), Memory>>);

impl Memories {
    /// A copy of a policy's memory, so that a look that is cut off forgets nothing; an empty one for a new policy, also
    /// under an old name.
    pub fn recall(&self, policy: &ObjectMeta) -> Memory {
        let uid = policy.uid.clone().unwrap_or_default();
        let kept = self.lock().get(&key(policy)).filter(|memory| memory.uid == uid).cloned();
        Memory { uid, seen_at: Some(Instant::now()), ..kept.unwrap_or_default() }
    }

    /// Keeps the memory of a policy.
    pub fn put(&self, policy: &ObjectMeta, memory: Memory) {
        let mut all = self.lock();
        all.insert(key(policy), memory);
        if all.len() > FORGET_ABOVE {
            all.retain(|_, memory| memory.seen_at.is_some_and(|seen| seen.elapsed() < FORGET_AFTER));
        }
    }

    /// Counts a failed look; how many in a row.
    pub fn failed(&self, policy: &ObjectMeta) -> u32 {
        let mut memory = self.recall(policy);
        memory.failures = memory.failures.saturating_add(1);
        let failures = memory.failures;
        self.put(policy, memory);
        failures
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Memory>> {
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
        let memories = Memories::default();
        assert_eq!((memories.failed(&policy("a", "1")), memories.failed(&policy("a", "1"))), (1, 2));
        assert_eq!(memories.failed(&policy("b", "2")), 1);
        assert_eq!(memories.failed(&policy("a", "3")), 1, "a new policy of the same name starts anew");
    }
}
