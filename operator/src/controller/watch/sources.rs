//! The watches, as streams of the policies to reconcile. Each begins anew with a list from time to time: an event that was
//! lost is found so, without a request for any policy.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use crds::{RoutingPolicy, shown::chain};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        reflector::{ObjectRef, Store, store},
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::Notify;

use super::changes::{Change, Changes};
use crate::{
    Settings,
    client::WATCH_SECONDS,
    controller::{PolicyMeta, backoff::doubled, labels, states::States, watched::Watched},
    metrics::Metrics,
};

/// The first and the longest wait after a watch failed; after a restart of the API server each of them fails once.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// What every watch needs.
pub struct Sources<'a> {
    /// The namespace to watch, and how often a watch begins anew.
    pub settings: &'a Settings,
    /// Client of the API server.
    pub client: &'a Client,
    /// Where changes are counted.
    pub states: &'a Arc<States>,
    /// Where failures are counted.
    pub metrics: &'a Arc<Metrics>,
}

impl Sources<'_> {
    /// Objects of a kind, in the namespaces that are watched.
    pub fn scoped<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match &self.settings.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// The policies themselves, each when it is created or changed, and where the last version of each is kept.
    pub fn policies(&self) -> (Store<PolicyMeta>, impl Stream<Item = watcher::Result<PolicyMeta>> + Send + use<>) {
        let (reader, writer) = store();
        let (kept, states, mut changes) = (reader.clone(), Arc::clone(self.states), Changes::default());
        // After a list, only once all of it is in the store: what is reconciled is read from there.
        let events = self.events::<RoutingPolicy>(watcher::Config::default()).reflect(writer);
        let changed = events.map_ok(move |event| {
            let (gone, changed): (Vec<_>, Vec<_>) =
                changes.take(event, |_| vec![]).into_iter().partition(|change| change.gone);
            gone.iter().for_each(|change| states.remove(&change.namespace, &change.name));
            let now = |change: &Change| kept.get(&ObjectRef::new(&change.name).within(&change.namespace));
            changed.iter().filter_map(now).map(|policy| Ok((*policy).clone())).collect::<Vec<_>>()
        });
        (reader, changed.flat_map(|result| stream::iter(result.unwrap_or_else(|error| vec![Err(error)]))))
    }

    /// The policies whose children or pods of a kind change.
    pub fn children<K>(&self) -> impl Stream<Item = ObjectRef<PolicyMeta>> + Send + use<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + 'static,
        K::DynamicType: Default + Clone + Debug + Send + Sync,
    {
        let ours = watcher::Config::default().labels(&labels::managed());
        self.triggers::<K, _>(ours, |change| change.policies)
    }

    /// The policies whose ConfigMap changes, or one that they refer to: both in one watch, without a label selector, as
    /// prompts do not have our labels.
    pub fn config_maps(&self) -> impl Stream<Item = ObjectRef<PolicyMeta>> + Send + use<> {
        let states = Arc::clone(self.states);
        self.triggers::<ConfigMap, _>(watcher::Config::default(), move |mut change| {
            change.policies.extend(states.referring(&change.namespace, &change.name));
            change.policies
        })
    }

    /// The policies that changes of a kind concern, by name. Each change is counted before it triggers. While the watch
    /// fails, nobody knows what changes: that counts as a change of every policy.
    fn triggers<K, F>(
        &self,
        config: watcher::Config,
        concerned: F,
    ) -> impl Stream<Item = ObjectRef<PolicyMeta>> + Send + use<K, F>
    where
        K: Resource<Scope = NamespaceResourceScope> + 'static,
        K::DynamicType: Default + Clone + Debug + Send + Sync,
        F: Fn(Change) -> BTreeSet<String> + Send + 'static,
    {
        let (states, unknown, mut changes) = (Arc::clone(self.states), Arc::clone(self.states), Changes::default());
        let events = self.events::<K>(config).filter_map(move |event| {
            let event = event.inspect_err(|_| unknown.all_changed());
            std::future::ready(event.ok())
        });
        let changes = events.flat_map(move |event| stream::iter(changes.take(event, policies_of)));
        changes.flat_map(move |change| {
            let namespace = change.namespace.clone();
            let concerned = concerned(change).into_iter().map(|policy| {
                states.changed(&namespace, &policy);
                ObjectRef::new(&policy).within(&namespace)
            });
            stream::iter(concerned.collect::<Vec<_>>())
        })
    }

    /// What the watch of a kind brings, from a list on, again and again. A failure comes after a wait that doubles until
    /// something was brought: the beginning of a list is nothing yet.
    fn events<K>(
        &self,
        config: watcher::Config,
    ) -> impl Stream<Item = watcher::Result<Event<Watched<K>>>> + Send + use<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + 'static,
        K::DynamicType: Default + Clone + Debug + Send + Sync,
    {
        let (api, config) = (self.scoped::<Watched<K>>(), config.timeout(WATCH_SECONDS));
        let plural = K::plural(&K::DynamicType::default()).into_owned();
        let every = apart(self.settings.relist, &plural);
        let (metrics, mut failures) = (Arc::clone(self.metrics), 0);
        stream::repeat_with(move || anew(api.clone(), config.clone(), every)).flatten().then(move |event| {
            match &event {
                Err(error) => {
                    failures += 1;
                    metrics.watch_failed();
                    log(&plural, error, failures);
                }
                Ok(Event::Init | Event::InitApply(_)) => {}
                Ok(_) => failures = 0,
            }
            let wait = event.is_err().then(|| doubled(BACKOFF.0, failures, BACKOFF.1));
            async move {
                if let Some(wait) = wait {
                    tokio::time::sleep(wait).await;
                }
                event
            }
        })
    }
}

/// A watch that ends this long after its first list was complete.
fn anew<K>(
    api: Api<Watched<K>>,
    config: watcher::Config,
    every: Duration,
) -> impl Stream<Item = watcher::Result<Event<Watched<K>>>> + Send + use<K>
where
    K: Resource<Scope = NamespaceResourceScope> + 'static,
    K::DynamicType: Default + Clone + Debug + Send + Sync,
{
    let complete = Arc::new(Notify::new());
    let listed = Arc::clone(&complete);
    let events = watcher(api, config).inspect_ok(move |event| {
        if matches!(event, Event::InitDone) {
            listed.notify_one();
        }
    });
    events.take_until(async move {
        complete.notified().await;
        tokio::time::sleep(every).await;
    })
}

/// A tenth more at most, by the kind, so that the watches do not all begin anew at the same time.
fn apart(every: Duration, plural: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    plural.hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 100).unwrap_or_default();
    every + every * share / 1_000
}

/// It is retried by itself: logged at first, and then less and less often.
fn log(plural: &str, error: &watcher::Error, failures: u32) {
    if failures.is_power_of_two() {
        tracing::warn!(of = plural, failures, error = chain(error), "a watch failed");
    }
}

/// The policies that an object belongs to, by label and by owner: changing one of the two does not hide the object.
fn policies_of(object: &impl ResourceExt) -> Vec<String> {
    let by_label = object.labels().get(labels::INSTANCE).filter(|_| object.labels().contains_key(labels::MANAGED_BY));
    let owners =
        object.owner_references().iter().filter(|owner| owner.kind == "RoutingPolicy").map(|owner| &owner.name);
    let names: BTreeSet<&String> = by_label.into_iter().chain(owners).collect();
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_begin_anew_apart_from_each_other() {
        let every = Duration::from_secs(600);
        let times = ["pods", "services", "deployments"].map(|plural| apart(every, plural));
        assert!(times.iter().all(|time| (every..every + every / 10).contains(time)), "{times:?}");
        assert!(times[0] != times[1] && times[1] != times[2], "{times:?}");
    }

    #[test]
    fn an_object_belongs_to_the_policies_of_its_label_and_of_its_owners() {
        let of = |metadata: serde_json::Value| {
            let object: Watched<ConfigMap> =
                serde_json::from_value(serde_json::json!({"metadata": metadata})).expect("an object");
            policies_of(&object)
        };
        let labels = serde_json::json!({labels::INSTANCE: "edge", labels::MANAGED_BY: "someone"});
        let owner = serde_json::json!([{"apiVersion": "v1", "kind": "RoutingPolicy", "name": "core", "uid": "u"}]);
        assert_eq!(of(serde_json::json!({"labels": labels, "ownerReferences": owner})), ["core", "edge"]);
        assert_eq!(of(serde_json::json!({"labels": {labels::INSTANCE: "edge"}})), Vec::<String>::new());
    }
}
