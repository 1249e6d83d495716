//! What others do to the children.

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use operator::controller::labels::FIELD_MANAGER;
use serde_json::{Value, json};
use tests::{policies::resource, policy::merged};

use super::place::{Found, Place};

/// The field manager of others.
pub const OTHERS: &str = "somebody-else";

/// What is done to children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tampering {
    /// Another manager applies other values of the operator's fields, by force.
    Forced,
    /// The same by `kubectl edit`.
    Edited,
    /// All are deleted.
    DeletedAll,
    /// One is deleted.
    DeletedOne,
    /// They have no owner any more.
    Unowned,
    /// They have no label any more.
    Unlabelled,
    /// Neither.
    Hidden,
    /// The record of who set which field is lost.
    Stripped,
    /// What the operator applied counts as edited by somebody else, as after a backup was restored.
    Renamed,
    /// What the operator applied counts as edited by it, too.
    Duplicated,
}

impl Tampering {
    /// Does it to the children that there are; whether it changed any.
    pub async fn act(self, place: &Place, choice: u64) -> bool {
        let Ok(mut children) = place.children().await else { return false };
        if self == Self::DeletedOne && !children.is_empty() {
            let chosen = choice % children.len() as u64;
            children = vec![children.swap_remove(chosen as usize)];
        }
        join_all(children.iter().map(|child| self.change(place, child))).await.contains(&true)
    }

    async fn change(self, place: &Place, child: &Found) -> bool {
        let (api, name) = (place.objects(child.kind), child.name.as_str());
        let changed = match self {
            Self::DeletedAll | Self::DeletedOne => return api.delete(name, &DeleteParams::background()).await.is_ok(),
            Self::Forced => api.patch(name, &PatchParams::apply(OTHERS).force(), &Patch::Apply(applied(child))).await,
            _ => api.patch(name, &as_others(), &Patch::Merge(self.patch(child))).await,
        };
        changed.is_ok_and(|now| now.resource_version() != child.object.resource_version() && self.is_done(&now))
    }

    /// Whether a child is as it was to become: the API server takes some patches and changes nothing.
    fn is_done(self, child: &DynamicObject) -> bool {
        let (unowned, unlabelled) = (child.owner_references().is_empty(), child.labels().is_empty());
        match self {
            Self::Unowned => unowned,
            Self::Unlabelled => unlabelled,
            Self::Hidden => unowned && unlabelled,
            Self::Stripped => child.managed_fields().is_empty(),
            Self::Renamed => !is_recorded(child, FIELD_MANAGER, "Apply") && is_recorded(child, OTHERS, "Update"),
            Self::Duplicated => {
                is_recorded(child, FIELD_MANAGER, "Apply") && is_recorded(child, FIELD_MANAGER, "Update")
            }
            Self::Forced => is_recorded(child, OTHERS, "Apply"),
            Self::Edited => is_recorded(child, OTHERS, "Update"),
            Self::DeletedAll | Self::DeletedOne => false,
        }
    }

    /// What is merged into the child.
    fn patch(self, child: &Found) -> Value {
        match self {
            Self::Unowned => json!({"metadata": {"ownerReferences": null}}),
            Self::Unlabelled => json!({"metadata": {"labels": null}}),
            Self::Hidden => json!({"metadata": {"ownerReferences": null, "labels": null}}),
            Self::Stripped => json!({"metadata": {"managedFields": [{}]}}),
            Self::Renamed | Self::Duplicated => {
                json!({"metadata": {"managedFields": self.managers(&json!(child.object.managed_fields()))}})
            }
            Self::Forced | Self::Edited | Self::DeletedAll | Self::DeletedOne => others_values(child.kind),
        }
    }

    /// The entries of `managedFields` with the operator's also as an update, or as an update of others instead.
    fn managers(self, managers: &Value) -> Vec<Value> {
        let is_own = |entry: &Value| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply";
        let by =
            |manager: &str, entry: &Value| merged(entry.clone(), json!({"manager": manager, "operation": "Update"}));
        let changed = |entry: &Value| match self {
            Self::Duplicated if is_own(entry) => vec![entry.clone(), by(FIELD_MANAGER, entry)],
            _ if is_own(entry) => vec![by(OTHERS, entry)],
            _ => vec![entry.clone()],
        };
        managers.as_array().into_iter().flatten().flat_map(changed).collect()
    }
}

/// Parameters of a change by others.
#[must_use]
pub fn as_others() -> PatchParams {
    PatchParams { field_manager: Some(OTHERS.into()), ..PatchParams::default() }
}

/// Whether a manager is recorded to have set fields of an object by this operation.
fn is_recorded(object: &DynamicObject, manager: &str, operation: &str) -> bool {
    let is_one = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager) && entry.operation.as_deref() == Some(operation)
    };
    object.managed_fields().iter().any(is_one)
}

/// Values that the operator did not set, of fields that it did. None of them is in the pods' template: where nothing runs
/// pods, a rollout that began would never end.
fn others_values(kind: &str) -> Value {
    match kind {
        "ServiceAccount" => json!({"automountServiceAccountToken": true}),
        "ConfigMap" => json!({"data": {"policy.yaml": "tampered"}}),
        "StatefulSet" => json!({"spec": {"replicas": 0}}),
        "Deployment" => json!({"spec": {"replicas": 3, "revisionHistoryLimit": 7}}),
        "Service" => json!({"spec": {"selector": {"app.kubernetes.io/instance": "other"}}}),
        "PodDisruptionBudget" => json!({"spec": {"maxUnavailable": 2}}),
        _ => json!({"spec": {"policyTypes": ["Ingress"]}}),
    }
}

/// These values as another manager applies them.
fn applied(child: &Found) -> Value {
    let resource = resource(child.kind);
    let named = json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": child.name}});
    merged(named, others_values(child.kind))
}

#[test]
fn what_was_applied_is_an_update_of_others_instead_or_of_the_operator_too() {
    let entry = |manager: &str, operation: &str| json!({"manager": manager, "operation": operation, "fieldsV1": {}});
    let (own, other) = (entry(FIELD_MANAGER, "Apply"), entry("mesh", "Update"));
    let managers = json!([other, own]);
    let (also_own, instead) = (entry(FIELD_MANAGER, "Update"), entry(OTHERS, "Update"));
    assert_eq!(Tampering::Renamed.managers(&managers), [other.clone(), instead]);
    assert_eq!(Tampering::Duplicated.managers(&managers), [other, own, also_own]);
}

#[test]
fn a_patch_that_changed_nothing_of_a_child_is_not_done() {
    let entry = |manager: &str, operation: &str| json!({"manager": manager, "operation": operation});
    let child = |managers: Value, owners: Value| -> DynamicObject {
        let metadata = json!({"name": "edge", "managedFields": managers, "ownerReferences": owners});
        serde_json::from_value(json!({"metadata": metadata})).expect("an object")
    };
    let owner = json!([{"apiVersion": "v1", "kind": "RoutingPolicy", "name": "edge", "uid": "u"}]);
    let untouched = child(json!([entry(FIELD_MANAGER, "Apply")]), owner);
    for (tampering, managers) in [
        (Tampering::Stripped, json!([])),
        (Tampering::Renamed, json!([entry(OTHERS, "Update")])),
        (Tampering::Duplicated, json!([entry(FIELD_MANAGER, "Apply"), entry(FIELD_MANAGER, "Update")])),
        (Tampering::Forced, json!([entry(FIELD_MANAGER, "Apply"), entry(OTHERS, "Apply")])),
        (Tampering::Edited, json!([entry(FIELD_MANAGER, "Apply"), entry(OTHERS, "Update")])),
        (Tampering::Unowned, json!([entry(FIELD_MANAGER, "Apply")])),
    ] {
        assert!(tampering.is_done(&child(managers, json!([]))), "{tampering:?}");
        assert!(!tampering.is_done(&untouched), "{tampering:?}");
    }
}
