//! What others do to the policy itself: to its status, and to the record of who set which of its fields. Its spec stays as the
//! user wants it.

use kube::{
    Error, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use tests::policy::merged;

use super::{
    place::{POLICY, Place},
    tampering::{OTHERS, as_others},
};

/// What is done to the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyTampering {
    /// The record of who set which field is lost, that of the status, too.
    ManagersStripped,
    /// All entries of it have the name of somebody else.
    ManagersRenamed,
    /// Somebody else has an entry beside each.
    ManagersTwice,
    /// Another manager applies the status as it is, and owns it, too.
    StatusCoOwned,
    /// The status is removed: what is left is what the definition fills in.
    StatusWiped,
    /// Another manager applies a status.
    StatusFaked,
}

impl PolicyTampering {
    /// Does it to the policy as it is; whether it changed it.
    pub async fn act(self, place: &Place) -> bool {
        let Ok(Some(before)) = place.policy().await else { return false };
        let now = self.change(place, &before).await;
        now.is_ok_and(|now| now.resource_version() != before.resource_version() && self.is_done(&now))
    }

    async fn change(self, place: &Place, before: &DynamicObject) -> Result<DynamicObject, Error> {
        let (policies, force) = (place.policies(), PatchParams::apply(OTHERS).force());
        match self {
            Self::StatusCoOwned => {
                policies.patch_status(POLICY, &force, &Patch::Apply(with_status(&before.data["status"]))).await
            }
            Self::StatusFaked => policies.patch_status(POLICY, &force, &Patch::Apply(with_status(&faked()))).await,
            Self::StatusWiped => {
                let remove = json!([{"op": "remove", "path": "/status"}]);
                let patch = Patch::Json::<()>(serde_json::from_value(remove).expect("a JSON patch"));
                policies.patch_status(POLICY, &as_others(), &patch).await
            }
            Self::ManagersStripped | Self::ManagersRenamed | Self::ManagersTwice => {
                let managers = self.managers(&json!(before.managed_fields()));
                let patch = json!({"metadata": {"managedFields": managers}});
                policies.patch(POLICY, &as_others(), &Patch::Merge(patch)).await
            }
        }
    }

    /// What becomes of the entries of `managedFields`.
    fn managers(self, managers: &Value) -> Vec<Value> {
        let by_others = |entry: &Value| merged(entry.clone(), json!({"manager": OTHERS, "operation": "Update"}));
        let entries = managers.as_array().into_iter().flatten();
        match self {
            Self::ManagersTwice => entries.flat_map(|entry| [entry.clone(), by_others(entry)]).collect(),
            Self::ManagersRenamed => entries.map(by_others).collect(),
            // The API server takes an empty list for none that is given.
            _ => vec![json!({})],
        }
    }

    /// Whether the policy is as it was to become.
    fn is_done(self, policy: &DynamicObject) -> bool {
        let entries = json!(policy.managed_fields());
        let entries: Vec<&Value> = entries.as_array().into_iter().flatten().collect();
        let of_others = entries.iter().filter(|entry| is_of_others(entry)).count();
        match self {
            Self::ManagersStripped => entries.is_empty(),
            Self::ManagersRenamed => of_others > 0 && of_others == entries.len(),
            Self::ManagersTwice => of_others > 0 && of_others < entries.len(),
            // Not whether there is one: the API server fills in the default of the definition at once.
            Self::StatusWiped => policy.data["status"]["conditions"].is_null(),
            Self::StatusCoOwned | Self::StatusFaked => {
                entries.iter().any(|entry| is_of_others(entry) && entry["subresource"] == "status")
            }
        }
    }
}

fn is_of_others(entry: &Value) -> bool {
    entry["manager"] == OTHERS
}

/// The policy as another manager applies its status.
fn with_status(status: &Value) -> Value {
    json!({
        "apiVersion": "routing.hyperguild.io/v1alpha1",
        "kind": "RoutingPolicy",
        "metadata": {"name": POLICY},
        "status": status,
    })
}

fn faked() -> Value {
    let condition = |kind: &str| {
        json!({"type": kind, "status": "Unknown", "reason": "Faked", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({
        "observedGeneration": 999,
        "configHash": "0".repeat(64),
        "conditions": [condition("Odd"), condition("Ready")],
        "skills": [{"name": "ghost", "route": "Local"}],
    })
}

#[test]
fn what_is_done_to_the_record_of_a_policy_is_seen_in_it() {
    let entry = |manager: &str, subresource: &str| json!({"manager": manager, "operation": "Update", "subresource": subresource});
    let (user, own) = (entry("user", ""), entry("routing-operator", "status"));
    let before = json!([user, own]);
    let policy = |managers: &Value| -> DynamicObject {
        let object = json!({"metadata": {"managedFields": managers}, "status": {"observedGeneration": 1}});
        serde_json::from_value(object).expect("an object")
    };
    for (tampering, count) in [(PolicyTampering::ManagersRenamed, 2), (PolicyTampering::ManagersTwice, 4)] {
        let after = tampering.managers(&before);
        assert_eq!(after.len(), count, "{tampering:?}");
        assert!(tampering.is_done(&policy(&json!(after))) && !tampering.is_done(&policy(&before)), "{tampering:?}");
    }
    assert!(PolicyTampering::ManagersStripped.is_done(&policy(&json!([]))));
    let co_owned = json!([user, own, entry(OTHERS, "status")]);
    for (managers, done) in [(&before, false), (&co_owned, true)] {
        assert_eq!(PolicyTampering::StatusCoOwned.is_done(&policy(managers)), done);
    }
}

#[test]
fn a_status_is_wiped_once_nothing_is_left_of_it_but_the_default_of_the_definition() {
    let definition = serde_json::to_value(crds::definition()).expect("JSON");
    let default = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"];
    assert!(default.is_object(), "the API server fills in nothing");
    let conditions = json!([{"type": "Ready", "status": "False"}]);
    for (status, done) in [
        (&Value::Null, true),
        (default, true),
        (&json!({"observedGeneration": 1, "conditions": conditions}), false),
        (&faked(), false),
    ] {
        let policy: DynamicObject =
            serde_json::from_value(json!({"metadata": {}, "status": status})).expect("an object");
        assert_eq!(PolicyTampering::StatusWiped.is_done(&policy), done, "{status}");
    }
}
