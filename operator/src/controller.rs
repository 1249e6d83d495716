//! Reconciles policies: a pipeline of steps, one module each. A step imports only the steps before it; a test checks
//! that, and CONTRIBUTING.md shows the pipeline.

mod apply;
mod backoff;
pub mod build;
pub mod child;
pub mod dereference;
pub mod error;
mod events;
pub mod labels;
mod nudge;
mod ownership;
mod pods;
pub mod policy;
mod prepare;
pub mod render;
mod report;
mod requeue;
pub mod restrict;
mod standing;
mod states;
mod status;
mod turns;
pub mod validate;
pub(crate) mod watch;
mod watched;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{RoutingPolicy, policy::ReplicaCounts, references};
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Client, Resource, ResourceExt,
    runtime::{
        controller::Action,
        events::Recorder,
        reflector::{ObjectRef, Store},
    },
};

use self::{
    apply::{Applied, apply},
    build::Installation,
    child::Namespace,
    dereference::{Dereferenced, dereference},
    error::{Error, RECONCILE_MAX},
    nudge::nudge,
    policy::Policy,
    prepare::{Given, Workers, prepare},
    report::{report, report_unreadable},
    standing::Standing,
    states::{PolicyState, States},
    status::{Observed, status},
    turns::Turns,
    watched::Watched,
};
use crate::{metrics::Metrics, restrictions::Restrictions};

/// A policy as it is watched; each reconciliation reads the policy itself.
type PolicyMeta = Watched<RoutingPolicy>;

/// What the driver needs; each step gets only the part that it uses.
struct Context {
    /// Client of the API server.
    client: Client,
    /// Client of the pods' admin ports.
    pods: reqwest::Client,
    /// Publishes events about policies.
    recorder: Recorder,
    /// The operator's metrics.
    metrics: Arc<Metrics>,
    /// Default image of pods, and namespace of the operator.
    installation: Installation,
    /// What policies may name.
    restrictions: Restrictions,
    /// How often a policy is reconciled when nothing changes (`--resync`).
    resync: Duration,
    /// What is remembered about each policy between reconciliations.
    states: Arc<States>,
    /// Where policies are checked and built.
    workers: Workers,
    /// Whose turn it is.
    turns: Turns,
    /// The policies as they are watched.
    store: Store<PolicyMeta>,
}

/// Brings a policy's children about, unless what stands of it is current, and reports how its pods are.
async fn reconcile(watched: &PolicyMeta, context: &Context, state: &mut PolicyState) -> Result<Action, Error> {
    let namespace = Namespace::of(watched.meta(), &context.client);
    // Before anything is read, so that no change is missed.
    let changes = context.states.changes(watched.meta());
    let current = state.standing.take().filter(|standing| standing.is_current(watched.meta(), changes));
    let (mut standing, failed) = match current {
        Some(standing) => (standing, None),
        None => match establish(watched, &namespace, context, state, changes).await? {
            Some(established) => established,
            None => return Ok(Action::await_change()),
        },
    };
    let policy = Arc::clone(&standing.policy);
    let pods = pods::query(&context.pods, standing.pods.clone()).await; // reads
    let nudged = nudge(&namespace, &policy, standing.target.as_deref(), &pods, &mut state.nudges).await; // writes
    context.metrics.queried(pods::unreachable(&pods), nudged);
    // The pods have other annotations since, which the next one is to see, even if no watch brings them.
    standing.is_settled &= nudged == 0;
    let status = status(&Observed {
        policy: &policy,
        valid: standing.valid.as_ref().as_ref(),
        applied: &standing.applied,
        target: standing.target.as_deref(),
        pods: &pods,
        brain_pods: &standing.brain_pods,
        skills_are_due: state.reported.skills_are_due(),
        now: Timestamp::now(),
    }); // pure
    state.replicas = status.replicas.unwrap_or_default();
    if let Some(written) = report(&namespace, &context.recorder, &policy, &status, &mut state.reported).await? {
        standing.written(written.status, &written.metadata);
    }
    // What failed is retried by itself, and a change is not older by it.
    if let Some(error) = failed {
        return Err(error);
    }
    let retry_at = standing.applied.retry_at;
    state.standing = Some(standing);
    Ok(Action::requeue(requeue::after(&status, retry_at, context.resync, &mut state.unsettled, Instant::now()))) // pure
}

/// Reads what the cluster holds for a policy, and makes its children as they should be; none: there is nothing to do until
/// something changes. With it, a request that failed and must be retried.
async fn establish(
    watched: &PolicyMeta,
    namespace: &Namespace,
    context: &Context,
    state: &mut PolicyState,
    changes: u64,
) -> Result<Option<(Standing, Option<Error>)>, Error> {
    let Some(text) = namespace.policy_text(&watched.name_any()).await.map_err(Error::Dereference)? else {
        context.states.remove(&namespace.name, &watched.name_any());
        state.replicas = ReplicaCounts::default();
        return Ok(None);
    };
    let Policy { read, unknown } = Policy::parse(&text); // pure
    let policy = match read {
        // A deleted policy's children are garbage-collected; a suspended policy and its children are left unchanged.
        Ok(policy) if policy.spec.suspend || policy.metadata.deletion_timestamp.is_some() => {
            state.replicas = ReplicaCounts::default();
            return Ok(None);
        }
        Ok(policy) => Arc::new(policy),
        Err(why) => {
            report_unreadable(namespace, watched.meta(), &why, &mut state.reported).await?; // writes
            return Ok(None);
        }
    };
    context.states.refer(watched.meta(), references::config_map_names(&policy.spec));
    let labels = context.restrictions.secret_label.as_ref();
    let Dereferenced { texts, secrets, children: existing, pods, brain_pods } =
        dereference(&policy, namespace, labels).await?; // reads
    let not_allowed = restrict::violations(&policy.spec, &context.restrictions, &secrets); // pure
    let existing = Arc::new(existing);
    let installation = context.installation.clone();
    let given = Given { policy: Arc::clone(&policy), unknown, texts, not_allowed, existing: Arc::clone(&existing) };
    let prepared = prepare(&context.workers, given, installation).await; // pure
    let (valid, mut applied) = match prepared {
        Ok((valid, children)) => {
            let applied = apply(namespace, &policy, children, &existing, &mut state.children, state.failures).await?; // writes
            (Ok(valid), applied)
        }
        Err(invalid) => (Err(invalid), Applied::nothing(&policy, &existing)),
    };
    if applied.namespace_is_ending {
        return Ok(None);
    }
    let target = applied.target_hash(&policy, valid.as_ref().ok()); // pure
    let pods = if applied.has_deployment(&policy) { pods::of_policy(&policy.name_any(), &pods) } else { vec![] };
    let is_unfinished = valid.as_ref().is_err_and(|invalid| invalid.unfinished);
    // No watch brings the labels of Secrets.
    let is_settled = applied.is_complete() && !is_unfinished && secrets.is_empty();
    let failed = applied.failed.take();
    let standing = Standing {
        policy: Arc::new(standing::slim(&policy)),
        valid: Arc::new(valid.map(|valid| valid.accepted())),
        is_last_good: build::is_last_good(&applied.objects),
        applied: Arc::new(applied.slim()),
        target,
        pods,
        brain_pods: pods::of_brain(&brain_pods),
        changes,
        is_settled,
    };
    Ok(Some((standing, failed)))
}

/// Reconciles a policy in at most `RECONCILE_MAX`; a panic ends no other reconciliation. Only the driver reads and
/// writes the state, and a reconciliation that was cut off leaves it unchanged.
async fn reconcile_within_limits(policy: Arc<PolicyMeta>, context: Arc<Context>) -> Result<Action, Error> {
    let _turn = context.turns.take(&policy.namespace().unwrap_or_default()).await;
    // As it is now: it may have waited long for its turn.
    let Some(policy) = context.store.get(&ObjectRef::from_obj(&*policy)) else {
        return Ok(Action::await_change());
    };
    let began = Instant::now();
    let mut state = context.states.get(policy.meta());
    let reconciled = AssertUnwindSafe(reconcile(&policy, &context, &mut state)).catch_unwind();
    let result = match tokio::time::timeout(RECONCILE_MAX, reconciled).await {
        Ok(Ok(result)) => {
            if result.is_ok() {
                state.failures = 0;
            }
            // A policy that was deleted meanwhile leaves nothing behind.
            if context.store.get(&ObjectRef::from_obj(&*policy)).is_some() {
                context.states.insert(policy.meta(), state);
            } else {
                context.states.remove(&policy.namespace().unwrap_or_default(), &policy.name_any());
            }
            context.metrics.pods(context.states.replicas());
            result
        }
        Ok(Err(_)) => Err(Error::Panicked),
        Err(_) => Err(Error::TimedOut),
    };
    context.metrics.reconciled(began.elapsed());
    result
}

/// Schedules the retry of a failed reconciliation: later after each failure in a row, for this policy only.
fn error_policy(policy: Arc<PolicyMeta>, error: &Error, context: Arc<Context>) -> Action {
    context.metrics.failed(error.category());
    let namespace = policy.namespace().unwrap_or_default();
    let failures = context.states.failed(policy.meta());
    let retry_in = requeue::after_failures(failures);
    tracing::warn!(%namespace, name = policy.name_any(), %error, failures, ?retry_in, "reconcile failed");
    Action::requeue(retry_in)
}
