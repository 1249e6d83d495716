//! Step 6, writes: the status if it differs, and events for what changed.

use std::time::{Duration, Instant};

use crds::{
    RoutingPolicy,
    policy::{ConditionStatus, Reason, RoutingPolicyStatus, condition},
    shown::printable,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    runtime::events::Recorder,
};
use serde_json::{Value, json};

use super::{
    child::Namespace,
    error::{Error, MESSAGE_MAX, RequestError},
    events,
    labels::FIELD_MANAGER,
    status::whole_seconds,
};

/// Pass rates are written at most this often.
const SKILLS_EVERY: Duration = Duration::from_secs(60);

/// What was last reported about a policy.
#[derive(Clone, Default, Debug)]
pub struct Reported {
    skills_at: Option<Instant>,
    unreadable: Option<String>,
}

impl Reported {
    /// Whether pass rates may be written again.
    #[must_use]
    pub fn skills_are_due(&self) -> bool {
        self.skills_at.is_none_or(|at| at.elapsed() >= SKILLS_EVERY)
    }
}

/// Writes the status if it differs from the last one, which is what the policy has, then publishes events. In this order,
/// because a lost event is better than one for every failed write. Returns the policy's metadata since; none: nothing was to
/// be written, or the policy was deleted meanwhile.
///
/// # Errors
/// The API server did not accept the status.
pub async fn report(
    namespace: &Namespace,
    recorder: &Recorder,
    policy: &RoutingPolicy,
    status: &RoutingPolicyStatus,
    reported: &mut Reported,
) -> Result<Option<ObjectMeta>, Error> {
    let previous = policy.status.clone().unwrap_or_default();
    if previous == *status {
        return Ok(None);
    }
    let written = write(namespace, &policy.name_any(), json!(status)).await?;
    if previous.skills != status.skills {
        reported.skills_at = Some(Instant::now());
    }
    publish(recorder, policy, &previous, status).await;
    tracing::info!(namespace = %namespace.name, name = %policy.name_any(), ready = %summary(status), "status written");
    Ok(written)
}

async fn publish(
    recorder: &Recorder,
    policy: &RoutingPolicy,
    previous: &RoutingPolicyStatus,
    status: &RoutingPolicyStatus,
) {
    let of = policy.object_ref(&());
    for event in events::transitions(&of, previous, status) {
        if let Err(error) = recorder.publish(&event, &of).await {
            tracing::warn!(name = %policy.name_any(), reason = %event.reason, %error, "cannot publish an event");
        }
    }
}

fn summary(status: &RoutingPolicyStatus) -> String {
    let ready = status.condition(condition::READY);
    ready.map(|ready| format!("{} {}", ready.status, ready.reason)).unwrap_or_default()
}

/// Reports what is wrong with a policy that cannot be decoded. Once per problem: each write would have another time.
///
/// # Errors
/// The API server did not accept the status.
pub async fn report_unreadable(
    namespace: &Namespace,
    policy: &ObjectMeta,
    why: &str,
    reported: &mut Reported,
) -> Result<(), Error> {
    let generation = policy.generation;
    let problem = format!("{generation:?} {why}");
    if reported.unreadable.as_ref() == Some(&problem) {
        return Ok(());
    }
    let condition = |(kind, status): (&str, ConditionStatus)| Condition {
        type_: kind.into(),
        status: status.as_str().into(),
        reason: Reason::Invalid.as_str().into(),
        message: format!("cannot be read: {}", without_values(why)),
        last_transition_time: Time(whole_seconds(Timestamp::now())),
        observed_generation: generation,
    };
    let conditions = [
        (condition::ACCEPTED, ConditionStatus::False),
        (condition::READY, ConditionStatus::False),
        (condition::STALLED, ConditionStatus::True),
    ];
    let name = policy.name.clone().unwrap_or_default();
    let status = json!({"observedGeneration": generation, "conditions": conditions.map(condition)});
    write(namespace, &name, status).await?;
    reported.unreadable = Some(problem);
    Ok(())
}

/// The parser's message without the values that it quotes: they may be prompts.
fn without_values(error: &str) -> String {
    let parts: Vec<&str> = error.split('"').collect();
    let shown = parts.iter().enumerate().map(|(i, part)| if i % 2 == 0 { *part } else { "…" });
    printable(&shown.collect::<Vec<_>>().join("\""), MESSAGE_MAX)
}

/// Writes the status as a whole, whoever wrote to it before: a server-side apply would keep what another manager set, and
/// fail forever where the two together are invalid. Returns the policy's metadata since; none: it was deleted
/// meanwhile.
async fn write(namespace: &Namespace, name: &str, status: Value) -> Result<Option<ObjectMeta>, Error> {
    let operation = json!([{"op": "add", "path": "/status", "value": status}]);
    let replace = Patch::Json::<()>(serde_json::from_value(operation).expect("an operation of RFC 6902's form"));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match namespace.policies().patch_status(name, &parameters, &replace).await {
        Ok(policy) => Ok(Some(policy.meta().clone())),
        // Deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(Error::Report(RequestError::new("writing the status")(error))),
    }
}
