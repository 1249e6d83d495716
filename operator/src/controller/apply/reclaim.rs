//! Takes a child's fields back after the record of who set them was lost: a tool stripped `managedFields`, or a restored
//! backup does not have them.
//!
//! Without its own entry, the operator's next apply would leave every field in place that the policy has given up
//! meanwhile, because nobody is known to have set it. So the operator first claims all that no other manager does, as
//! client-go's `csaupgrade` does for objects of `kubectl apply`. What others set and is not recorded goes with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Map, Value, json};

use crate::controller::labels::{FIELD_MANAGER, POLICY_UID};

/// The manager that the API server makes up, at the first apply of an object without `managedFields`, for all that it
/// finds there.
const MADE_UP: &str = "before-first-apply";
/// What of an object's metadata is claimed: finalizers and owners are never known to be left over.
const METADATA: [&str; 2] = ["f:annotations", "f:labels"];

/// Whether an object that this policy's operator wrote has lost the record of it. An object that is about to be adopted
/// never had one: what others set there is kept.
pub(super) fn is_lost(body: &Value, object: &DynamicObject) -> bool {
    let (ours, theirs) = (&body["metadata"], &object.metadata);
    let owner = ours["ownerReferences"][0]["uid"].as_str();
    let is_owner = theirs.owner_references.iter().flatten().any(|reference| Some(&*reference.uid) == owner);
    let uid = theirs.annotations.iter().flatten().find(|(name, _)| *name == POLICY_UID).map(|(_, uid)| uid.as_str());
    let written = is_owner || (uid.is_some() && uid == ours["annotations"][POLICY_UID].as_str());
    written && !object.managed_fields().iter().any(is_own_apply)
}

/// Records the operator as the owner of all fields that no other manager owns; changes nothing else.
pub(super) async fn reclaim(api: &Api<DynamicObject>, body: &Value, object: &DynamicObject) -> kube::Result<()> {
    let name = object.name_any();
    let mut version = object.resource_version();
    if !object.managed_fields().is_empty() {
        // Only an object without any entry is given one for all of its fields.
        version = set_managers(api, &name, version, &json!([{}])).await?.resource_version();
    }
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).force() };
    let rehearsed = api.patch(&name, &rehearsal, &Patch::Apply(body)).await?;
    let managers = reclaimed(object.managed_fields(), rehearsed.managed_fields());
    tracing::info!(kind = %body["kind"], %name, "the record of who set which field was lost: fields are claimed");
    set_managers(api, &name, version, &json!(managers)).await.map(drop)
}

/// Replaces an object's `managedFields`, if it still has this version.
pub(super) async fn set_managers(
    api: &Api<DynamicObject>,
    name: &str,
    version: Option<String>,
    managers: &Value,
) -> kube::Result<DynamicObject> {
    let update = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let patch = json!({"metadata": {"resourceVersion": version, "managedFields": managers}});
    api.patch(name, &update, &Patch::Merge(patch)).await
}

/// The entries of others as they were `before`, and the operator's own with all that nobody else owns. `rehearsed` are
/// those after an apply.
fn reclaimed(before: &[ManagedFieldsEntry], rehearsed: &[ManagedFieldsEntry]) -> Vec<ManagedFieldsEntry> {
    let others: Vec<ManagedFieldsEntry> = before.iter().filter(|entry| !is_left_over(entry)).cloned().collect();
    let of = |entry: &ManagedFieldsEntry| entry.fields_v1.clone().map_or(Value::Null, |FieldsV1(fields)| fields);
    let mut left_over = Value::Null;
    rehearsed.iter().filter(|entry| is_left_over(entry)).for_each(|entry| add(&mut left_over, &of(entry)));
    others.iter().for_each(|entry| remove(&mut left_over, &of(entry)));
    if let Some(metadata) = left_over.get_mut("f:metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| METADATA.contains(&field.as_str()));
    }
    let own = rehearsed.iter().filter(|entry| is_own_apply(entry)).map(|entry| {
        let mut fields = of(entry);
        add(&mut fields, &left_over);
        ManagedFieldsEntry { fields_v1: Some(FieldsV1(fields)), ..entry.clone() }
    });
    own.chain(others.iter().cloned()).collect()
}

/// Adds fields to a set of fields.
fn add(set: &mut Value, fields: &Value) {
    let Value::Object(fields) = fields else { return };
    if !set.is_object() {
        *set = Value::Object(Map::new());
    }
    for (name, inner) in fields {
        add(&mut set[name], inner);
    }
}

/// Removes fields from a set of fields. A field without further ones is a leaf; it stands for all that is below.
fn remove(set: &mut Value, fields: &Value) {
    let (Value::Object(set), Value::Object(fields)) = (set, fields) else { return };
    let is_leaf = |value: &Value| value.as_object().is_none_or(Map::is_empty);
    for (name, inner) in fields {
        let Some(own) = set.get_mut(name) else { continue };
        let was_leaf = is_leaf(own) || is_leaf(inner);
        remove(own, inner);
        if was_leaf || is_leaf(own) {
            set.remove(name);
        }
    }
}

fn is_own_apply(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

/// Of no other manager: made up by the API server, or the operator's own.
fn is_left_over(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(MADE_UP)
        || (entry.manager.as_deref() == Some(FIELD_MANAGER) && !is_own_apply(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        let entry = json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields});
        serde_json::from_value(entry).expect("an entry")
    }

    #[test]
    fn what_nobody_else_owns_becomes_the_operators_own() {
        let others = entry("mesh", "Update", json!({"f:spec": {"f:template": {"f:mesh": {}}}}));
        let own = entry(FIELD_MANAGER, "Apply", json!({"f:spec": {"f:replicas": {}}}));
        let everything = json!({
            "f:metadata": {"f:annotations": {".": {}, "f:a": {}}, "f:finalizers": {"v:\"x\"": {}}, "f:ownerReferences": {}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:mesh": {}, "f:nodeSelector": {}}},
        });
        let after = [entry(MADE_UP, "Update", everything), own];
        let managers = reclaimed(std::slice::from_ref(&others), &after);
        let claimed = json!({
            "f:metadata": {"f:annotations": {".": {}, "f:a": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:nodeSelector": {}}},
        });
        assert_eq!(managers, [entry(FIELD_MANAGER, "Apply", claimed), others]);
    }

    #[test]
    fn only_an_object_that_the_operator_wrote_can_have_lost_its_record() {
        let body = json!({"metadata": {"ownerReferences": [{"uid": "u1"}], "annotations": {POLICY_UID: "u1"}}});
        let owned = |uid: &str| json!({"ownerReferences": [{"apiVersion": "v1", "kind": "RoutingPolicy", "name": "edge", "uid": uid}]});
        let apply = json!([entry(FIELD_MANAGER, "Apply", json!({}))]);
        let update = json!([entry(FIELD_MANAGER, "Update", json!({}))]);
        let with = |mut metadata: Value, managers: &Value| {
            metadata["managedFields"] = managers.clone();
            metadata
        };
        for (metadata, lost) in [
            (owned("u1"), true),
            (with(owned("u1"), &apply), false),
            (with(owned("u1"), &update), true),
            (json!({"annotations": {POLICY_UID: "u1"}}), true),
            (owned("u0"), false),
            (json!({}), false),
        ] {
            let object = serde_json::from_value(json!({"metadata": metadata})).expect("an object");
            assert_eq!(is_lost(&body, &object), lost, "{metadata}");
        }
    }
}
