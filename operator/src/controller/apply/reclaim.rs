//! Takes a child's fields back after the record of who set them was lost or doubled: a tool stripped `managedFields`, a
//! restored backup does not have them, or has them under the name of the tool, or somebody applied a copy of the whole child.
//!
//! Without one entry of its own for all of its fields, the operator's next apply would leave every field in place that the
//! policy has given up meanwhile, because nobody is known to have set it, or somebody else is. So the operator first claims
//! all that no other manager does, as client-go's `csaupgrade` does for objects of `kubectl apply`. What others set and is not
//! recorded goes with it; an entry of theirs stays, unless it is that of a copy.

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

/// Whether an object that this policy's operator wrote has not exactly one record of it. An object that is about to be
/// adopted never had one: what others set there is kept.
pub(super) fn is_lost(body: &Value, object: &DynamicObject) -> bool {
    let (ours, theirs) = (&body["metadata"], &object.metadata);
    let owner = ours["ownerReferences"][0]["uid"].as_str();
    let is_owner = theirs.owner_references.iter().flatten().any(|reference| Some(&*reference.uid) == owner);
    let uid = theirs.annotations.iter().flatten().find(|(name, _)| *name == POLICY_UID).map(|(_, uid)| uid.as_str());
    let written = is_owner || (uid.is_some() && uid == ours["annotations"][POLICY_UID].as_str());
    let records = object.managed_fields().iter().filter(|entry| is_of_child(entry) && is_left_over(entry));
    written && !matches!(records.collect::<Vec<_>>()[..], [only] if is_own_apply(only))
}

/// Records the operator as the owner of all fields that no other manager owns; changes nothing else. If it fails, the entries
/// of others are put back, so that the next try still knows what is theirs.
pub(super) async fn reclaim(api: &Api<DynamicObject>, body: &Value, object: &DynamicObject) -> kube::Result<()> {
    let (name, before) = (object.name_any(), object.managed_fields());
    if before.is_empty() {
        return claim(api, body, before, object.resource_version()).await;
    }
    // Only an object without any entry is given one for all of its fields.
    let version = set_managers(api, &name, object.resource_version(), &json!([{}])).await?.resource_version();
    let claimed = claim(api, body, before, version).await;
    if claimed.is_err() {
        set_managers(api, &name, None, &json!(others(before))).await?;
    }
    claimed
}

/// Claims an object without any entry that had these.
async fn claim(
    api: &Api<DynamicObject>,
    body: &Value,
    before: &[ManagedFieldsEntry],
    version: Option<String>,
) -> kube::Result<()> {
    let name = body["metadata"]["name"].as_str().unwrap_or_default();
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).force() };
    let rehearsed = api.patch(name, &rehearsal, &Patch::Apply(body)).await?;
    let managers = reclaimed(before, rehearsed.managed_fields(), body["apiVersion"].as_str());
    tracing::info!(kind = %body["kind"], %name, "it was not recorded once who set which field: fields are claimed");
    set_managers(api, name, version, &json!(managers)).await.map(drop)
}

/// Replaces an object's `managedFields`, if it still has this version; none: whatever it has.
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

/// The entries of others as they were `before`, and one of the operator's own with all that nobody else owns. `rehearsed` are
/// those after an apply of this version.
fn reclaimed(
    before: &[ManagedFieldsEntry],
    rehearsed: &[ManagedFieldsEntry],
    version: Option<&str>,
) -> Vec<ManagedFieldsEntry> {
    let others = others(before);
    let of = |entry: &ManagedFieldsEntry| entry.fields_v1.clone().map_or(Value::Null, |FieldsV1(fields)| fields);
    let mut left_over = Value::Null;
    let left = rehearsed.iter().filter(|entry| is_of_child(entry) && is_left_over(entry));
    left.for_each(|entry| add(&mut left_over, &of(entry)));
    others.iter().for_each(|entry| remove(&mut left_over, &of(entry)));
    if let Some(metadata) = left_over.get_mut("f:metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| METADATA.contains(&field.as_str()));
    }
    let applied = rehearsed.iter().filter(|entry| is_own_apply(entry) && entry.api_version.as_deref() == version);
    let own = applied.map(|entry| {
        let mut fields = of(entry);
        add(&mut fields, &left_over);
        ManagedFieldsEntry { fields_v1: Some(FieldsV1(fields)), ..entry.clone() }
    });
    own.chain(others.iter().cloned()).collect()
}

/// The entries that stay: of other managers, and of subresources.
fn others(entries: &[ManagedFieldsEntry]) -> Vec<ManagedFieldsEntry> {
    entries.iter().filter(|entry| !is_of_child(entry) || !is_left_over(entry)).cloned().collect()
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
    is_of_child(entry) && entry.manager.as_deref() == Some(FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
}

/// Not of a subresource, such as `status` or `scale`: those are of the programs that run or scale the child.
fn is_of_child(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref().is_none_or(str::is_empty)
}

/// Of no other manager: made up by the API server, under the operator's name, or of a copy of what it wrote. Nobody else has a
/// reason to set the annotation that says whose child it is.
fn is_left_over(entry: &ManagedFieldsEntry) -> bool {
    let of = |FieldsV1(fields): &FieldsV1| !fields["f:metadata"]["f:annotations"][format!("f:{POLICY_UID}")].is_null();
    let is_copy = entry.fields_v1.as_ref().is_some_and(of);
    is_copy || matches!(entry.manager.as_deref(), Some(MADE_UP | FIELD_MANAGER))
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
        let managers = reclaimed(std::slice::from_ref(&others), &after, Some("v1"));
        let claimed = json!({
            "f:metadata": {"f:annotations": {".": {}, "f:a": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:nodeSelector": {}}},
        });
        assert_eq!(managers, [entry(FIELD_MANAGER, "Apply", claimed), others]);
    }

    #[test]
    fn entries_under_the_operators_name_and_copies_of_its_own_become_one() {
        let mark = json!({"f:annotations": {format!("f:{POLICY_UID}"): {}}});
        let own = entry(FIELD_MANAGER, "Apply", json!({"f:metadata": mark, "f:spec": {"f:replicas": {}}}));
        let mut old = entry(FIELD_MANAGER, "Apply", json!({"f:spec": {"f:paused": {}}}));
        old.api_version = Some("v0".into());
        let edited = entry(FIELD_MANAGER, "Update", json!({"f:spec": {"f:minReadySeconds": {}}}));
        let copy = entry("kubectl", "Apply", json!({"f:metadata": mark, "f:spec": {"f:nodeSelector": {}}}));
        let mut scale = entry(FIELD_MANAGER, "Update", json!({"f:spec": {"f:replicas": {}}}));
        scale.subresource = Some("scale".into());
        let others = entry("mesh", "Update", json!({"f:spec": {"f:mesh": {}}}));
        let all = [own, old, edited, copy, scale.clone(), others.clone()];
        let claimed = json!({"f:metadata": mark,
            "f:spec": {"f:replicas": {}, "f:paused": {}, "f:minReadySeconds": {}, "f:nodeSelector": {}}});
        let managers = reclaimed(&all, &all, Some("v1"));
        assert_eq!(managers, [entry(FIELD_MANAGER, "Apply", claimed), scale, others]);
    }

    #[test]
    fn only_an_object_that_the_operator_wrote_can_have_lost_its_record() {
        let body = json!({"metadata": {"ownerReferences": [{"uid": "u1"}], "annotations": {POLICY_UID: "u1"}}});
        let owned = |uid: &str| json!({"ownerReferences": [{"apiVersion": "v1", "kind": "RoutingPolicy", "name": "edge", "uid": uid}]});
        let apply = json!([entry(FIELD_MANAGER, "Apply", json!({}))]);
        let update = json!([entry(FIELD_MANAGER, "Update", json!({}))]);
        let both = json!([entry(FIELD_MANAGER, "Apply", json!({})), entry(FIELD_MANAGER, "Update", json!({}))]);
        let mark = json!({"f:metadata": {"f:annotations": {format!("f:{POLICY_UID}"): {}}}});
        let copied = json!([entry(FIELD_MANAGER, "Apply", mark.clone()), entry("kubectl", "Update", mark)]);
        let foreign = json!([entry(FIELD_MANAGER, "Apply", json!({})), entry("mesh", "Update", json!({}))]);
        let with = |mut metadata: Value, managers: &Value| {
            metadata["managedFields"] = managers.clone();
            metadata
        };
        for (metadata, lost) in [
            (owned("u1"), true),
            (with(owned("u1"), &apply), false),
            (with(owned("u1"), &update), true),
            (with(owned("u1"), &both), true),
            (with(owned("u1"), &copied), true),
            (with(owned("u1"), &foreign), false),
            (json!({"annotations": {POLICY_UID: "u1"}}), true),
            (owned("u0"), false),
            (json!({}), false),
        ] {
            let object = serde_json::from_value(json!({"metadata": metadata})).expect("an object");
            assert_eq!(is_lost(&body, &object), lost, "{metadata}");
        }
    }
}
