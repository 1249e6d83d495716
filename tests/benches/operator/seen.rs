//! What a watch of the bench's own brings of the policies: it asks for nothing meanwhile, and sees a change at once.

use std::{
    collections::HashMap,
    pin::pin,
    time::{Duration, Instant},
};

use crds::{RoutingPolicy, policy::condition};
use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::watch;

/// The statuses of all policies, by name.
pub type All = HashMap<String, Status>;

/// What is of interest in a policy's status.
#[derive(Clone)]
pub struct Status {
    /// The generation that it describes.
    pub observed: i64,
    /// The hash of its config.
    pub hash: Option<String>,
    /// Whether it describes the last generation, and all is as specified.
    pub settled: bool,
    /// When this generation with this hash was first seen.
    pub since: Instant,
}

impl Status {
    fn of(policy: &RoutingPolicy) -> Self {
        let status = policy.status.clone().unwrap_or_default();
        let observed = status.observed_generation;
        let ready = status.condition(condition::READY).is_some_and(|ready| ready.reason == "ScaledToZero");
        Self {
            observed: observed.unwrap_or_default(),
            settled: ready && status.is_true(condition::READY) && observed == policy.metadata.generation,
            hash: status.config_hash,
            since: Instant::now(),
        }
    }
}

/// The policies as they were last brought.
#[derive(Clone)]
pub struct Seen(watch::Sender<All>);

impl Seen {
    /// Begins to watch.
    pub fn start(policies: Api<RoutingPolicy>) -> Self {
        let (all, _) = watch::channel(All::new());
        tokio::spawn(follow(policies, all.clone()));
        Self(all)
    }

    /// The hash in a policy's status.
    pub fn hash(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name)?.hash.clone()
    }

    /// Waits until something is found in what was brought.
    ///
    /// # Panics
    /// If it was not within the limit.
    pub async fn until<T>(&self, what: &str, limit: Duration, found: impl Fn(&All) -> Option<T>) -> T {
        let mut changes = self.0.subscribe();
        let wait = async {
            loop {
                let found = found(&changes.borrow_and_update());
                if let Some(found) = found {
                    return found;
                }
                changes.changed().await.expect("the watch goes on");
            }
        };
        let in_time = tokio::time::timeout(limit, wait).await;
        in_time.unwrap_or_else(|_| panic!("waited {limit:?} for {what}; {}", self.described()))
    }

    fn described(&self) -> String {
        let all = self.0.borrow();
        let mut rest: Vec<&str> = all.iter().filter(|(_, one)| !one.settled).map(|(name, _)| name.as_str()).collect();
        rest.sort_unstable();
        let first = rest.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        format!("of {} policies {} are not settled: {first} …", all.len(), rest.len())
    }
}

async fn follow(policies: Api<RoutingPolicy>, all: watch::Sender<All>) {
    let mut events = pin!(watcher(policies, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(policy) | Event::InitApply(policy)) => all.send_modify(|all| note(all, &policy)),
            Ok(Event::Init | Event::InitDone | Event::Delete(_)) => {}
            Err(error) => eprintln!("the bench's own watch failed and is retried: {error}"),
        }
    }
}

/// Takes over a status; its time, only if it says something else of the config.
fn note(all: &mut All, policy: &RoutingPolicy) {
    let new = Status::of(policy);
    let old = all.get(&policy.name_any());
    let same = old.filter(|old| old.observed == new.observed && old.hash == new.hash);
    let since = same.map_or(new.since, |old| old.since);
    all.insert(policy.name_any(), Status { since, ..new });
}
