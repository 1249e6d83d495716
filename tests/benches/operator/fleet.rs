//! The policies: a tenth of them in one namespace, the others in another one, all without pods.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crds::RoutingPolicy;
use futures::{StreamExt, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::{Value, json};
use tests::policies;

use super::seen::{All, Seen};

/// The namespace with one policy in ten.
pub const FEW: &str = "few";
/// The namespace with the others.
pub const MANY: &str = "many";
/// One policy in so many is in the namespace [`FEW`].
const ONE_OF: usize = 10;
/// Requests of the bench in flight.
const AT_ONCE: usize = 32;
/// Longest wait until all policies are settled.
const SETTLE_LIMIT: Duration = Duration::from_secs(3_600);
/// Longest wait for a change of one.
const CHANGE_LIMIT: Duration = Duration::from_secs(600);

/// The policies, numbered from 0.
pub struct Fleet {
    client: Client,
    seen: Seen,
    policies: usize,
    changes: AtomicU32,
}

/// A change that the API server has taken.
struct Change {
    name: String,
    answered: Instant,
    /// The policy's generation since then.
    generation: i64,
    /// The hash before it.
    hash: Option<String>,
}

impl Fleet {
    /// None yet.
    pub fn new(client: Client) -> Self {
        let seen = Seen::start(Api::all(client.clone()));
        Self { client, seen, policies: 0, changes: AtomicU32::new(1) }
    }

    /// How many there are.
    pub fn policies(&self) -> usize {
        self.policies
    }

    /// The numbers of those in the namespace.
    pub fn of(&self, namespace: &str) -> Vec<usize> {
        (0..self.policies).filter(|number| namespace_of(*number) == namespace).collect()
    }

    /// Creates those that are missing to this number.
    pub async fn grow(&mut self, policies: usize) {
        let new = stream::iter(self.policies..policies);
        new.for_each_concurrent(AT_ONCE, |number| create(&self.client, number)).await;
        self.policies = policies;
    }

    /// Waits until the status of every one says that all is as specified.
    pub async fn until_settled(&self) {
        let settled = |all: &All| all.values().filter(|one| one.settled).count() == self.policies;
        self.seen.until("all policies to be settled", SETTLE_LIMIT, |all| settled(all).then_some(())).await;
    }

    /// Changes one; how long after the API server's answer its status has the change.
    pub async fn change(&self, number: usize) -> Duration {
        let change = self.send(number).await;
        let what = format!("the change of {} in its status", change.name);
        let seen = self.seen.until(&what, CHANGE_LIMIT, |all| change.seen(all)).await;
        seen.saturating_duration_since(change.answered)
    }

    /// Changes all of these at once, and waits until all are settled.
    pub async fn change_all(&self, numbers: Vec<usize>) {
        let sent = stream::iter(numbers).map(|number| self.send(number)).buffer_unordered(AT_ONCE);
        let changes: Vec<Change> = sent.collect().await;
        let settled = |all: &All| changes.iter().all(|change| change.is_settled(all));
        self.seen.until("all changes to be settled", SETTLE_LIMIT, |all| settled(all).then_some(())).await;
    }

    async fn send(&self, number: usize) -> Change {
        let name = name_of(number);
        let hash = self.seen.hash(&name);
        // Another one each time, and never above floor.
        let ceil = format!("0.{:04}", self.changes.fetch_add(1, Ordering::Relaxed) % 9_000);
        let patch = Patch::Merge(json!({"spec": {"thresholds": {"floor": "0.90", "ceil": ceil}}}));
        let policies: Api<RoutingPolicy> = Api::namespaced(self.client.clone(), namespace_of(number));
        let changed = policies.patch(&name, &PatchParams::default(), &patch).await.expect("the change is taken");
        let (answered, generation) = (Instant::now(), changed.metadata.generation.unwrap_or_default());
        Change { name, answered, generation, hash }
    }
}

impl Change {
    /// When the status with it was seen, if it was.
    fn seen(&self, all: &All) -> Option<Instant> {
        let status = all.get(&self.name)?;
        let is_new = status.observed >= self.generation && status.hash.is_some() && status.hash != self.hash;
        is_new.then_some(status.since)
    }

    fn is_settled(&self, all: &All) -> bool {
        all.get(&self.name).is_some_and(|status| status.settled) && self.seen(all).is_some()
    }
}

async fn create(client: &Client, number: usize) {
    let resource = ApiResource::erase::<RoutingPolicy>(&());
    let policies: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace_of(number), &resource);
    let policy = DynamicObject::new(&name_of(number), &resource).data(json!({"spec": spec(number)}));
    policies.create(&PostParams::default(), &policy).await.expect("a policy is created");
}

fn namespace_of(number: usize) -> &'static str {
    if number.is_multiple_of(ONE_OF) { FEW } else { MANY }
}

fn name_of(number: usize) -> String {
    format!("policy-{number:04}")
}

/// One skill, or two, with a prompt of some 400 bytes.
fn spec(number: usize) -> Value {
    let prompt = format!("You help team {number}. {}", "Name files and lines, and invent nothing at all. ".repeat(8));
    let stages = json!([{"system": {"text": prompt}, "user": "{{ args.problem }}"}]);
    let mut skills = vec![json!({"name": "debug", "stages": stages})];
    skills.extend(number.is_multiple_of(2).then(|| json!({"name": "code_review"})));
    policies::spec(json!({"service": {"type": "ClusterIP"}, "dataPlane": {"replicas": 0}, "skills": skills}))
}
