//! What is remembered about each policy between reconciliations. All of it can be lost: a new operator process finds
//! what it needs in the cluster. What a step remembers is defined in its module; only the driver reads and writes it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::policy::ReplicaCounts;
use kube::api::ObjectMeta;

use super::{apply::ChildStates, nudge::Nudges, report::Reported, requeue::Unsettled, standing::Standing};

/// Above this number of states, those of deleted policies are removed.
const FORGET_ABOVE: usize = 1_000;
/// A policy that was not reconciled for this long counts as deleted; if it exists, its state only starts over.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);

/// What is remembered about one policy.
#[derive(Clone, Default, Debug)]
pub struct PolicyState {
    uid: String,
    used_at: Option<Instant>,
    /// Reconciliations that failed in a row.
    pub failures: u32,
    /// What was last applied and what was refused, by child.
    pub children: ChildStates,
    /// The last nudge of each pod.
    pub nudges: Nudges,
    /// The config that not all pods run yet, and since when.
    pub unsettled: Unsettled,
    /// When pass rates were last written, and what was wrong with a policy that cannot be decoded.
    pub reported: Reported,
    /// Its pods when they were last counted.
    pub replicas: ReplicaCounts,
    /// What its last reconciliation read and did.
    pub standing: Option<Standing>,
}

/// The states of all policies, by namespace and name.
#[derive(Default)]
pub struct States {
    policies: Mutex<HashMap<Key, PolicyState>>,
    /// The ConfigMaps that each policy refers to, in its namespace.
    references: Mutex<HashMap<Key, BTreeSet<String>>>,
    /// How many changes of anything of a policy, but itself, the watches have brought. Only of those that are asked for:
    /// anyone can label an object with the name of a policy that does not exist.
    changes: Mutex<HashMap<Key, u64>>,
}

/// Namespace and name of a policy.
type Key = (String, String);

impl States {
    /// A copy of a policy's state, so that a reconciliation that is cut off leaves it unchanged. Empty for a new
    /// policy, even if an earlier one had the same name.
    pub fn get(&self, policy: &ObjectMeta) -> PolicyState {
        let uid = policy.uid.clone().unwrap_or_default();
        let kept = self.lock().get(&key(policy)).filter(|state| state.uid == uid).cloned();
        PolicyState { uid, used_at: Some(Instant::now()), ..kept.unwrap_or_default() }
    }

    /// Stores the state of a policy; removes old ones when there are many.
    pub fn insert(&self, policy: &ObjectMeta, state: PolicyState) {
        let mut all = self.lock();
        all.insert(key(policy), state);
        if all.len() > FORGET_ABOVE {
            all.retain(|_, state| state.used_at.is_some_and(|used| used.elapsed() < FORGET_AFTER));
        }
    }

    /// How many pods all policies should have, and how many run the last config of theirs.
    pub fn replicas(&self) -> (u64, u64) {
        let all = self.lock();
        let add = |(desired, programmed), state: &PolicyState| {
            (desired + u64::from(state.replicas.desired), programmed + u64::from(state.replicas.programmed))
        };
        all.values().fold((0, 0), add)
    }

    /// Counts a failed reconciliation; returns how many failed in a row.
    pub fn failed(&self, policy: &ObjectMeta) -> u32 {
        let mut state = self.get(policy);
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        self.insert(policy, state);
        failures
    }

    /// Notes which ConfigMaps a policy refers to; to be called before they are read, so that no change is missed.
    pub fn refer(&self, policy: &ObjectMeta, config_maps: BTreeSet<String>) {
        self.references().insert(key(policy), config_maps);
    }

    /// The names of the policies of a namespace that refer to a ConfigMap.
    pub fn referring(&self, namespace: &str, config_map: &str) -> Vec<String> {
        let references = self.references();
        let of_namespace = references.iter().filter(|((of, _), _)| of == namespace);
        of_namespace.filter(|(_, names)| names.contains(config_map)).map(|((_, name), _)| name.clone()).collect()
    }

    /// How many changes of anything of a policy, but itself, the watches have brought since it was first asked for.
    pub fn changes(&self, policy: &ObjectMeta) -> u64 {
        *self.counts().entry(key(policy)).or_default()
    }

    /// Counts a change of something of a policy.
    pub fn changed(&self, namespace: &str, policy: &str) {
        if let Some(count) = self.counts().get_mut(&(namespace.into(), policy.into())) {
            *count += 1;
        }
    }

    /// Counts a change of every policy: a watch failed, and nobody knows what it would have brought.
    pub fn all_changed(&self) {
        self.counts().values_mut().for_each(|count| *count += 1);
    }

    /// Forgets a policy that no longer exists.
    pub fn remove(&self, namespace: &str, policy: &str) {
        let key = (namespace.into(), policy.into());
        self.references().remove(&key);
        self.counts().remove(&key);
        self.lock().remove(&key);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Key, u64>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn references(&self) -> MutexGuard<'_, HashMap<Key, BTreeSet<String>>> {
        self.references.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, PolicyState>> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(policy: &ObjectMeta) -> Key {
    (policy.namespace.clone().unwrap_or_default(), policy.name.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, uid: &str) -> ObjectMeta {
        ObjectMeta { name: Some(name.into()), uid: Some(uid.into()), ..ObjectMeta::default() }
    }

    #[test]
    fn the_pods_of_all_policies_are_added_up() {
        let states = States::default();
        for (name, desired, programmed) in [("a", 2, 2), ("b", 3, 1)] {
            let replicas = ReplicaCounts { desired, programmed, ..ReplicaCounts::default() };
            states.insert(&policy(name, "1"), PolicyState { replicas, ..states.get(&policy(name, "1")) });
        }
        assert_eq!(states.replicas(), (5, 3));
        states.remove("", "b");
        assert_eq!(states.replicas(), (2, 2));
    }

    #[test]
    fn failures_are_counted_per_policy_and_forgotten_with_it() {
        let states = States::default();
        assert_eq!((states.failed(&policy("a", "1")), states.failed(&policy("a", "1"))), (1, 2));
        assert_eq!(states.failed(&policy("b", "2")), 1);
        assert_eq!(states.failed(&policy("a", "3")), 1, "a new policy with the same name starts over");
    }

    #[test]
    fn changes_are_counted_for_policies_that_are_asked_for() {
        let states = States::default();
        states.changed("", "a");
        assert_eq!(states.changes(&policy("a", "1")), 0, "nobody had asked");
        states.changed("", "a");
        states.changed("house", "a");
        assert_eq!(states.changes(&policy("a", "1")), 1);
        states.all_changed();
        assert_eq!(states.changes(&policy("a", "1")), 2);
        states.remove("", "a");
        assert_eq!(states.changes(&policy("a", "1")), 0);
    }

    #[test]
    fn policies_are_found_by_the_config_maps_that_they_refer_to() {
        let states = States::default();
        let of = |namespace: &str, name: &str| ObjectMeta { namespace: Some(namespace.into()), ..policy(name, "1") };
        states.refer(&of("house", "a"), ["prompts".into(), "ca".into()].into());
        states.refer(&of("house", "b"), ["prompts".into()].into());
        states.refer(&of("other", "c"), ["prompts".into()].into());
        let mut found = states.referring("house", "prompts");
        found.sort();
        assert_eq!(found, ["a", "b"]);
        states.refer(&of("house", "a"), ["ca".into()].into());
        states.remove("house", "b");
        assert_eq!(states.referring("house", "prompts"), Vec::<String>::new());
    }
}
