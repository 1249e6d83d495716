//! Which owner an object has. The operator never changes an object that its policy does not own.

use kube::api::ObjectMeta;

use super::labels;

/// Annotation of an object without a controller: the policy with this name adopts it.
pub const ADOPT: &str = "routing.hyperguild.io/adopt";

/// The owner of an object, from a policy's point of view.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// This policy: by owner reference, by adoption, or by its UID in an annotation.
    ThisPolicy,
    /// A deleted policy with the same name: the object is about to be garbage-collected.
    PreviousPolicy,
    /// Another controller: its kind and name, as in `Helm edge`.
    Other(String),
    /// No controller; it may be adopted.
    Nobody,
}

/// The owner of an object. Owner references decide; without a controller, the annotations do (adoption, the policy's
/// UID), so that an owner reference that was removed is repaired.
#[must_use]
pub fn owner(object: &ObjectMeta, policy: &str, policy_uid: &str) -> Owner {
    let references = object.owner_references.as_deref().unwrap_or_default();
    if references.iter().any(|reference| reference.uid == policy_uid) {
        return Owner::ThisPolicy;
    }
    let is_handed_over = annotation(object, ADOPT) == Some(policy) && object.deletion_timestamp.is_none();
    match references.iter().find(|reference| reference.controller == Some(true)) {
        Some(other) if other.kind == "RoutingPolicy" && other.name == policy => Owner::PreviousPolicy,
        Some(other) => Owner::Other(format!("{} {}", other.kind, other.name)),
        // An object with a controller cannot be adopted: the two would overwrite each other's changes.
        None if is_handed_over => Owner::ThisPolicy,
        None if annotation(object, labels::POLICY_UID) == Some(policy_uid) => Owner::ThisPolicy,
        None => Owner::Nobody,
    }
}

fn annotation<'a>(object: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    object.annotations.as_ref().and_then(|annotations| annotations.get(name)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_object_belongs_to_its_controller() {
        let owned = |kind: &str, name: &str, uid: &str, controller: bool| json!({"ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": controller}]});
        let other = |what: &str| Owner::Other(what.into());
        let rows: [(Value, Owner); 9] = [
            (owned("RoutingPolicy", "edge", "u1", true), Owner::ThisPolicy),
            (owned("RoutingPolicy", "edge", "u1", false), Owner::ThisPolicy),
            (owned("RoutingPolicy", "edge", "u0", true), Owner::PreviousPolicy),
            (owned("RoutingPolicy", "core", "u2", true), other("RoutingPolicy core")),
            (owned("Helm", "edge", "u3", true), other("Helm edge")),
            (json!({}), Owner::Nobody),
            (json!({"annotations": {"routing.hyperguild.io/policy-uid": "u1"}}), Owner::ThisPolicy),
            (json!({"annotations": {"routing.hyperguild.io/policy-uid": "u0"}}), Owner::Nobody),
            (json!({"annotations": {"routing.hyperguild.io/adopt": "edge"}}), Owner::ThisPolicy),
        ];
        for (meta, expected) in rows {
            let object: ObjectMeta = serde_json::from_value(meta.clone()).expect("metadata");
            assert_eq!(owner(&object, "edge", "u1"), expected, "{meta}");
        }
        let meta = json!({"annotations": {"routing.hyperguild.io/adopt": "core"}});
        let object: ObjectMeta = serde_json::from_value(meta).expect("metadata");
        assert_eq!(owner(&object, "edge", "u1"), Owner::Nobody);
    }
}
