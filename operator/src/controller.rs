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
mod states;
mod status;
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
    runtime::{controller::Action, events::Recorder},
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
    states::{PolicyState, States},
    status::{Observed, status},
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
}

async fn reconcile(watched: &PolicyMeta, context: &Context, state: &mut PolicyState) -> Result<Action, Error> {
    let namespace = Namespace::of(watched.meta(), &context.client);
    let Some(text) = namespace.policy_text(&watched.name_any()).await.map_err(Error::Dereference)? else {
        context.states.remove(watched.meta());
        state.replicas = ReplicaCounts::default();
        return Ok(Action::await_change());
    };
    let Policy { read, unknown } = Policy::parse(&text); // pure
    let policy = match read {
        // A deleted policy's children are garbage-collected; a suspended policy and its children are left unchanged.
        Ok(policy) if policy.spec.suspend || policy.metadata.deletion_timestamp.is_some() => {
            state.replicas = ReplicaCounts::default();
            return Ok(Action::await_change());
        }
        Ok(policy) => Arc::new(policy),
        Err(why) => {
            report_unreadable(&namespace, watched.meta(), &why, &mut state.reported).await?; // writes
            return Ok(Action::await_change());
        }
    };
    context.states.refer(watched.meta(), references::config_map_names(&policy.spec));
    let labels = context.restrictions.secret_label.as_ref();
    let Dereferenced { texts, secrets, children: existing, pods, brain_pods } =
        dereference(&policy, &namespace, labels).await?; // reads
    let not_allowed = restrict::violations(&policy.spec, &context.restrictions, &secrets); // pure
    let existing = Arc::new(existing);
    let installation = context.installation.clone();
    let given = Given { policy: Arc::clone(&policy), unknown, texts, not_allowed, existing: Arc::clone(&existing) };
    let prepared = prepare(&context.workers, given, installation).await; // pure
    let (valid, applied) = match prepared {
        Ok((valid, children)) => {
            let applied = apply(&namespace, &policy, children, &existing, &mut state.children, state.failures).await?; // writes
            (Ok(valid), applied)
        }
        Err(invalid) => (Err(invalid), Applied::nothing(&policy, &existing)),
    };
    if applied.namespace_is_ending {
        return Ok(Action::await_change());
    }
    let target = applied.target_hash(&policy, valid.as_ref().ok()); // pure
    let pods = if applied.has_deployment(&policy) { pods } else { vec![] };
    let pods = pods::query(&context.pods, &policy.name_any(), pods).await; // reads
    let nudged = nudge(&namespace, &policy, target.as_deref(), &pods, &mut state.nudges).await; // writes
    context.metrics.queried(pods::unreachable(&pods), nudged);
    let status = status(&Observed {
        policy: &policy,
        valid: valid.as_ref(),
        applied: &applied,
        target: target.as_deref(),
        pods: &pods,
        brain_pods: &pods::of_brain(&brain_pods),
        skills_are_due: state.reported.skills_are_due(),
        now: Timestamp::now(),
    }); // pure
    state.replicas = status.replicas.unwrap_or_default();
    report(&namespace, &context.recorder, &policy, &status, &mut state.reported).await?; // writes
    // What failed is retried by itself, and a change is not older by it.
    match applied.failed {
        Some(error) => Err(error),
        None => {
            let wait = requeue::after(&status, applied.retry_at, context.resync, &mut state.unsettled, Instant::now()); // pure
            Ok(Action::requeue(wait))
        }
    }
}

/// Reconciles a policy in at most `RECONCILE_MAX`; a panic ends no other reconciliation. Only the driver reads and
/// writes the state, and a reconciliation that was cut off leaves it unchanged.
async fn reconcile_within_limits(policy: Arc<PolicyMeta>, context: Arc<Context>) -> Result<Action, Error> {
    let began = Instant::now();
    let mut state = context.states.get(policy.meta());
    let reconciled = AssertUnwindSafe(reconcile(&policy, &context, &mut state)).catch_unwind();
    let result = match tokio::time::timeout(RECONCILE_MAX, reconciled).await {
        Ok(Ok(result)) => {
            if result.is_ok() {
                state.failures = 0;
            }
            context.states.insert(policy.meta(), state);
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
