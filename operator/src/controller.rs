//! One look at a policy: reads, then pure steps, then writes.

pub mod apply;
pub mod ask;
pub mod build;
pub mod child;
pub mod dereference;
pub mod events;
pub mod memory;
pub mod ownership;
pub mod pace;
pub mod poke;
pub mod policy;
pub mod refusal;
pub mod render;
pub mod status;
pub mod validate;
pub mod watch;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{RoutingPolicy, field_error::printable};
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Client, Resource, ResourceExt,
    runtime::{controller::Action, events::Recorder},
};

use self::{
    apply::Applied,
    child::{ChildKey, ChildKind, Namespace},
    dereference::{Seen, dereference},
    memory::{Memories, Memory},
    policy::{Policy, UnknownField},
    status::Observed,
    validate::validate,
};
use crate::metrics::Metrics;

pub use watch::run;

/// Who set a field: server-side apply keeps the operator's apart from everybody else's.
pub const FIELD_MANAGER: &str = "routing-operator";
/// Longest message of the API server that is repeated, in characters.
const MESSAGE_MAX: usize = 1_000;
/// Longest look at one policy: a request that hangs must not hold a place for ever.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// What every look needs.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The pods' admin ports.
    pub pods: reqwest::Client,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What the operator was installed with.
    pub installation: build::Installation,
    /// How often a settled policy is looked at.
    pub resync: Duration,
    /// What is remembered between looks.
    pub memories: Memories,
}

/// A look that failed and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request to the API server failed.
    #[error("{what}: {}", described(error))]
    Api {
        /// What was asked for.
        what: String,
        /// Why it failed.
        error: Box<kube::Error>,
    },
    /// The look took too long.
    #[error("not done within {} s", LOOK_MAX.as_secs())]
    TimedOut,
    /// A bug: this policy's look panicked, other policies go on.
    #[error("panicked; please report this")]
    Panicked,
}

impl Error {
    fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        |error| Self::Api { what, error: Box::new(error) }
    }

    /// One of a few words, for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Api { .. } => "api",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
        }
    }
}

/// The API server's own sentence, without the whole answer around it.
fn described(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", printable(&status.message, MESSAGE_MAX), status.code),
        other => other.to_string(),
    }
}

/// One look at a policy, bounded in time; a panic in it ends no other.
async fn reconcile(policy: Arc<Policy>, context: Arc<Context>) -> Result<Action, Error> {
    let began = Instant::now();
    let look = AssertUnwindSafe(look(&policy, &context)).catch_unwind();
    let looked = match tokio::time::timeout(LOOK_MAX, look).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(_)) => Err(Error::Panicked),
        Err(_) => Err(Error::TimedOut),
    };
    context.metrics.reconciled(began.elapsed());
    looked
}

async fn look(policy: &Policy, context: &Context) -> Result<Action, Error> {
    let Policy { read, unknown } = policy;
    let policy = match &read.0 {
        Ok(policy) => policy,
        Err(invalid) => {
            status::report_undecodable(context, invalid).await?;
            return Ok(Action::await_change());
        }
    };
    // Children go with their owner; a suspended policy and all that is its stays as it is.
    if policy.spec.suspend || policy.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let mut memory = context.memories.recall(&policy.metadata);
    let looked = look_with(policy, unknown, context, &mut memory).await;
    if looked.is_ok() {
        memory.failures = 0;
    }
    context.memories.put(&policy.metadata, memory);
    looked
}

async fn look_with(
    policy: &RoutingPolicy,
    unknown: &[UnknownField],
    context: &Context,
    memory: &mut Memory,
) -> Result<Action, Error> {
    let namespace = Namespace::of(policy, &context.client);
    let seen = dereference(policy, &namespace).await?;
    let valid = validate(policy, unknown, &seen.texts);
    let Seen { children: existing, pods, .. } = seen;
    let applied = match &valid {
        Ok(valid) => {
            let last_good = build::last_good(&existing, policy.status.as_ref());
            let built = build::build(policy, valid, last_good, &context.installation);
            apply::apply(&namespace, policy, built, existing, memory).await?
        }
        Err(_) => Applied::nothing(policy, existing),
    };
    if applied.namespace_is_ending {
        return Ok(Action::await_change());
    }
    let wanted = status::wanted_hash(policy, valid.as_ref().ok(), &applied);
    // Without a Deployment of its own, pods under its labels are somebody else's.
    let name = policy.name_any();
    let has_pods = applied.objects.contains_key(&ChildKey::new(ChildKind::Deployment, &name));
    let pods = ask::ask(context, &name, if has_pods { pods } else { vec![] }).await;
    poke::poke(context, &namespace, policy, wanted.as_deref(), &pods, memory).await;
    let observed = Observed {
        policy,
        valid: valid.as_ref(),
        applied: &applied,
        wanted: wanted.as_deref(),
        pods: &pods,
        skills_are_due: memory.skills_are_due(),
        now: Timestamp::now(),
    };
    let status = status::status(&observed);
    status::report(context, &namespace, policy, &status, memory).await?;
    match applied.failed {
        Some(failed) => Err(failed),
        None => Ok(pace::next_look(&status, &applied, context.resync, memory)),
    }
}

/// How long until a failed look is tried again: longer each time, for this policy alone.
fn error_policy(policy: Arc<Policy>, error: &Error, context: Arc<Context>) -> Action {
    context.metrics.failed(error.category());
    let namespace = policy.namespace().unwrap_or_default();
    let failures = context.memories.failed(policy.meta());
    let delay = pace::backoff(failures);
    tracing::warn!(%namespace, name = policy.name_any(), %error, failures, retry_in = ?delay, "look failed");
    Action::requeue(delay)
}
