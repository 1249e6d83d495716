//! What others do to the children.

use futures::future::join_all;
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
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
    /// Does it to the children that there are; whether any let it.
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
        let done = match self {
            Self::DeletedAll | Self::DeletedOne => api.delete(name, &DeleteParams::background()).await.map(drop),
            Self::Forced => {
                let force = PatchParams::apply(OTHERS).force();
                api.patch(name, &force, &Patch::Apply(applied(child))).await.map(drop)
            }
            _ => {
                let others = PatchParams { field_manager: Some(OTHERS.into()), ..PatchParams::default() };
                api.patch(name, &others, &Patch::Merge(self.patch(child))).await.map(drop)
            }
        };
        done.is_ok()
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
