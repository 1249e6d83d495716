//! Writes the status, when it differs, and tells what changed in an event.

use crds::{
    RoutingPolicy,
    field_error::printable,
    policy::{ConditionStatus, Reason, RoutingPolicyStatus, condition},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::error_boundary::InvalidObject,
};
use serde_json::{Value, json};

use super::conditions::whole_seconds;
use crate::controller::{Context, Error, FIELD_MANAGER, MESSAGE_MAX, child::Namespace, events, memory::Memory};

/// Writes a status that differs from the one that was read, then tells what changed. In this order: an event that is
/// lost is less of a nuisance than one that comes at every try to write.
///
/// # Errors
/// The API server did not take it.
pub async fn report(
    context: &Context,
    namespace: &Namespace,
    policy: &RoutingPolicy,
    status: &RoutingPolicyStatus,
    memory: &mut Memory,
) -> Result<(), Error> {
    let previous = policy.status.clone().unwrap_or_default();
    if previous == *status {
        return Ok(());
    }
    patch(&namespace.name, &policy.name_any(), context, json!(status)).await?;
    if previous.skills != status.skills {
        memory.skills_written = Some(std::time::Instant::now());
    }
    publish(context, policy, &previous, status).await;
    tracing::info!(namespace = %namespace.name, name = %policy.name_any(), ready = %summary(status), "status written");
    Ok(())
}

async fn publish(
    context: &Context,
    policy: &RoutingPolicy,
    previous: &RoutingPolicyStatus,
    status: &RoutingPolicyStatus,
) {
    for event in events::transitions(previous, status) {
        if let Err(error) = context.recorder.publish(&event, &policy.object_ref(&())).await {
            tracing::warn!(name = %policy.name_any(), reason = %event.reason, %error, "an event is lost");
        }
    }
}

fn summary(status: &RoutingPolicyStatus) -> String {
    let ready = status.condition(condition::READY);
    ready.map(|ready| format!("{} {}", ready.status, ready.reason)).unwrap_or_default()
}

/// Says on a policy that cannot even be read what is wrong with it. Once: its time would differ at every look.
///
/// # Errors
/// The API server did not take it.
pub async fn report_undecodable(context: &Context, invalid: &InvalidObject) -> Result<(), Error> {
    let generation = invalid.metadata.generation;
    let said = format!("{generation:?} {}", invalid.error);
    let mut memory = context.memories.recall(&invalid.metadata);
    if memory.undecodable.as_ref() == Some(&said) {
        return Ok(());
    }
    let condition = |kind: &str, status: ConditionStatus| Condition {
        type_: kind.into(),
        status: status.as_str().into(),
        reason: Reason::Invalid.as_str().into(),
        message: format!("cannot be read: {}", without_values(&invalid.error)),
        last_transition_time: Time(whole_seconds(Timestamp::now())),
        observed_generation: generation,
    };
    let kinds = [
        (condition::ACCEPTED, ConditionStatus::False),
        (condition::READY, ConditionStatus::False),
        (condition::STALLED, ConditionStatus::True),
    ];
    let conditions: Vec<Condition> = kinds.map(|(kind, status)| condition(kind, status)).into();
    let metadata = invalid.metadata.clone();
    let (namespace, name) = (metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default());
    patch(&namespace, &name, context, json!({"observedGeneration": generation, "conditions": conditions})).await?;
    memory.undecodable = Some(said);
    context.memories.put(&invalid.metadata, memory);
    Ok(())
}

/// The parser's message without what it quotes: that may be a prompt.
fn without_values(error: &str) -> String {
    let parts: Vec<&str> = error.split('"').collect();
    let shown = parts.iter().enumerate().map(|(i, part)| if i % 2 == 0 { *part } else { "…" });
    printable(&shown.collect::<Vec<_>>().join("\""), MESSAGE_MAX)
}

/// The answer is not read as a policy: an object of another version might not be one.
async fn patch(namespace: &str, name: &str, context: &Context, status: Value) -> Result<(), Error> {
    let resource = ApiResource::erase::<RoutingPolicy>(&());
    let policies: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let body = json!({
        "apiVersion": RoutingPolicy::api_version(&()),
        "kind": RoutingPolicy::kind(&()),
        "status": status,
    });
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match policies.patch_status(name, &parameters, &Patch::Apply(body)).await {
        Ok(_) => Ok(()),
        // Deleted meanwhile.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::api("writing the status")(error)),
    }
}
