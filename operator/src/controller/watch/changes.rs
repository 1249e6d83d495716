//! What the watch of one kind brings, as changes: a list that repeats what is known brings none, and an object that it no
//! longer has is one. So a watch can begin anew from time to time, which finds what it missed, and disturbs nothing else.

use std::collections::{BTreeSet, HashMap};

use kube::{ResourceExt, runtime::watcher::Event};

/// Namespace and name of an object.
type Key = (String, String);

/// The objects of one kind as they were last brought.
#[derive(Default)]
pub struct Changes {
    known: HashMap<Key, Known>,
    /// What a list that has begun has brought so far.
    listed: Option<HashMap<Key, Known>>,
}

/// What is kept of an object: its version, and the names of the policies that it belongs to.
struct Known {
    version: Option<String>,
    policies: Vec<String>,
}

/// An object that was created, changed or deleted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its namespace, which is that of its policies, too.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The policies that it belongs to, or did before.
    pub policies: BTreeSet<String>,
    /// Whether it does not exist any more.
    pub gone: bool,
}

impl Changes {
    /// The changes that an event tells of; `policies` names those that an object belongs to.
    pub fn take<K: ResourceExt>(&mut self, event: Event<K>, policies: impl Fn(&K) -> Vec<String>) -> Vec<Change> {
        let read = |object: &K| {
            let key = (object.namespace().unwrap_or_default(), object.name_any());
            (key, Known { version: object.resource_version(), policies: policies(object) })
        };
        match event {
            Event::Apply(object) => {
                let (key, new) = read(&object);
                let changed = self.changed(&key, &new);
                self.known.insert(key, new);
                changed.into_iter().collect()
            }
            Event::Delete(object) => {
                let (key, last) = read(&object);
                let before = self.known.remove(&key);
                vec![change(&key, before.iter().chain([&last]), true)]
            }
            Event::Init => {
                self.listed = Some(HashMap::new());
                vec![]
            }
            Event::InitApply(object) => {
                self.listed.get_or_insert_default().extend([read(&object)]);
                vec![]
            }
            Event::InitDone => self.replaced(),
        }
    }

    /// Takes over what a list has brought.
    fn replaced(&mut self) -> Vec<Change> {
        let listed = self.listed.take().unwrap_or_default();
        let new = listed.iter().filter_map(|(key, new)| self.changed(key, new));
        let gone = self.known.iter().filter(|(key, _)| !listed.contains_key(*key));
        let changes = new.chain(gone.map(|(key, known)| change(key, [known], true))).collect();
        self.known = listed;
        changes
    }

    /// The change from what is known of an object; none: it has the same version.
    fn changed(&self, key: &Key, new: &Known) -> Option<Change> {
        let before = self.known.get(key);
        let same = before.is_some_and(|before| before.version.is_some() && before.version == new.version);
        (!same).then(|| change(key, before.into_iter().chain([new]), false))
    }
}

fn change<'a>((namespace, name): &Key, states: impl IntoIterator<Item = &'a Known>, gone: bool) -> Change {
    let policies = states.into_iter().flat_map(|known| known.policies.iter().cloned()).collect();
    Change { namespace: namespace.clone(), name: name.clone(), policies, gone }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use kube::api::ObjectMeta;

    use super::*;

    /// A Service with this version, of the policy that its label names.
    fn service(name: &str, version: &str, policy: &str) -> Service {
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some("house".into()),
            resource_version: Some(version.into()),
            labels: Some([("policy".to_string(), policy.to_string())].into()),
            ..ObjectMeta::default()
        };
        Service { metadata, ..Service::default() }
    }

    /// The changes as `name of policies`, with a minus if it is gone.
    fn told(changes: &mut Changes, event: Event<Service>) -> Vec<String> {
        let told = |Change { name, policies, gone, .. }: Change| {
            let of = policies.into_iter().collect::<Vec<_>>().join("+");
            format!("{}{name} of {of}", if gone { "-" } else { "" })
        };
        let mut all: Vec<String> =
            changes.take(event, |object| vec![object.labels()["policy"].clone()]).into_iter().map(told).collect();
        all.sort();
        all
    }

    /// What a list with these objects brings.
    fn listed(changes: &mut Changes, objects: &[Service]) -> Vec<String> {
        assert_eq!(told(changes, Event::Init), Vec::<String>::new());
        for object in objects {
            assert_eq!(told(changes, Event::InitApply(object.clone())), Vec::<String>::new(), "not before its end");
        }
        told(changes, Event::InitDone)
    }

    #[test]
    fn a_list_tells_only_what_is_new_changed_or_gone() {
        let mut changes = Changes::default();
        let (a, b) = (service("a", "1", "edge"), service("b", "2", "core"));
        assert_eq!(listed(&mut changes, &[a.clone(), b.clone()]), ["a of edge", "b of core"]);
        assert_eq!(listed(&mut changes, &[a.clone(), b.clone()]), Vec::<String>::new(), "nothing changed");
        assert_eq!(listed(&mut changes, &[service("a", "3", "edge")]), ["-b of core", "a of edge"]);
        assert_eq!(listed(&mut changes, &[]), ["-a of edge"]);
    }

    #[test]
    fn an_event_that_comes_twice_is_one_change_and_a_new_owner_concerns_both() {
        let mut changes = Changes::default();
        for (event, expected) in [
            (Event::Apply(service("a", "1", "edge")), vec!["a of edge"]),
            (Event::Apply(service("a", "1", "edge")), vec![]),
            (Event::Apply(service("a", "2", "core")), vec!["a of core+edge"]),
            (Event::Apply(service("a", "3", "core")), vec!["a of core"]),
            (Event::Delete(service("a", "4", "core")), vec!["-a of core"]),
            (Event::Apply(service("a", "4", "core")), vec!["a of core"]),
        ] {
            assert_eq!(told(&mut changes, event), expected);
        }
    }
}
