//! Sends one child to the API server, or deletes it there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::Status,
};
use serde_json::{Value, json};

use super::reclaim;
use crate::controller::{
    child::{ChildKey, ChildKind, Namespace},
    error::RequestError,
    labels::FIELD_MANAGER,
};

/// Applies a child, and takes fields back first if the record of who set them was lost. If someone renumbered a port by
/// hand, the apply adds ours next to it with the same name, which is invalid: then our ports replace the whole list.
pub(super) async fn send(
    namespace: &Namespace,
    key: &ChildKey,
    body: &Value,
    existing: Option<&DynamicObject>,
) -> kube::Result<DynamicObject> {
    let api = namespace.children(key.kind);
    if let Some(object) = existing.filter(|object| reclaim::is_lost(body, object)) {
        match reclaim::reclaim(&api, body, object).await {
            // What is invalid is sorted out below.
            Err(kube::Error::Api(status)) if is_invalid(&status) => {}
            outcome => outcome?,
        }
    }
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let status = match api.patch(&key.name, &apply, &Patch::Apply(body)).await {
        Err(kube::Error::Api(status)) if is_invalid(&status) => status,
        answer => return answer,
    };
    let ports = existing.and_then(|object| serde_json::from_value(ports(key.kind, object, body)?).ok());
    let Some(ports) = ports else {
        return Err(kube::Error::Api(status));
    };
    let update = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let replaced = api.patch(&key.name, &update, &Patch::Json::<()>(ports)).await;
    let replaced = replaced.map_err(|_| kube::Error::Api(status))?;
    // The update would stay a second owner of its fields forever: one that is no longer applied would not be removed.
    let managers = json!(without_updates(&replaced));
    reclaim::set_managers(&api, &key.name, replaced.resource_version(), &managers).await?;
    api.patch(&key.name, &apply, &Patch::Apply(body)).await
}

/// The patch that replaces an object's ports by ours; none for kinds without ports.
fn ports(kind: ChildKind, object: &DynamicObject, body: &Value) -> Option<Value> {
    let (at, ours) = match kind {
        ChildKind::Service => ("/spec/ports".to_string(), body.pointer("/spec/ports")?),
        ChildKind::Deployment | ChildKind::StatefulSet => {
            let containers = object.data.pointer("/spec/template/spec/containers")?.as_array()?;
            let ours = body.pointer("/spec/template/spec/containers/0")?;
            let index = containers.iter().position(|container| container["name"] == ours["name"])?;
            (format!("/spec/template/spec/containers/{index}/ports"), ours.get("ports")?)
        }
        _ => return None,
    };
    Some(json!([{"op": "replace", "path": at, "value": ours}]))
}

/// Two ports with the same nodePort are answered with 500 instead of 422.
fn is_invalid(status: &Status) -> bool {
    status.code == 422 || (status.code == 500 && status.message.starts_with("duplicate nodePort"))
}

fn without_updates(object: &DynamicObject) -> Vec<ManagedFieldsEntry> {
    let ours = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Update")
    };
    object.managed_fields().iter().filter(|entry| !ours(entry)).cloned().collect()
}

/// Deletes a child that is no longer built, unless it was recreated meanwhile.
pub(super) async fn delete(namespace: &Namespace, key: &ChildKey, object: &DynamicObject) -> Result<(), RequestError> {
    let this_one = Preconditions { uid: object.uid(), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(this_one), ..DeleteParams::background() };
    match namespace.children(key.kind).delete(&key.name, &parameters).await {
        Ok(_) => Ok(()),
        // Deleted or recreated meanwhile.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(RequestError::new(format!("deleting {key}"))(error)),
    }
}
