//! Whose an object is. What a policy does not control is never touched.

use kube::api::ObjectMeta;

use super::build::labels;

/// On an object of somebody else: hands it over to the policy of this name.
pub const ADOPT: &str = "routing.hyperguild.io/adopt";

/// Whose an object is, as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The policy's own, or handed over to it.
    ThisPolicy,
    /// Of a deleted policy of the same name: the cluster is about to collect it.
    PreviousPolicy,
    /// Somebody else's, in words.
    Other(String),
}

/// Whose the object is. A controller decides; where there is none, what the operator wrote onto it does, so that an
/// owner reference that somebody removed is repaired.
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
        // Who has a controller cannot be handed over: the two would fight for it.
        None if is_handed_over => Owner::ThisPolicy,
        None if annotation(object, labels::POLICY_UID) == Some(policy_uid) => Owner::ThisPolicy,
        None => Owner::Other("nobody that it names".into()),
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
    fn an_object_belongs_to_who_controls_it() {
        let owned = |kind: &str, name: &str, uid: &str, controller: bool| json!({"ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": controller}]});
        let other = |what: &str| Owner::Other(what.into());
        let rows: [(Value, Owner); 9] = [
            (owned("RoutingPolicy", "edge", "u1", true), Owner::ThisPolicy),
            (owned("RoutingPolicy", "edge", "u1", false), Owner::ThisPolicy),
            (owned("RoutingPolicy", "edge", "u0", true), Owner::PreviousPolicy),
            (owned("RoutingPolicy", "core", "u2", true), other("RoutingPolicy core")),
            (owned("Helm", "edge", "u3", true), other("Helm edge")),
            (json!({}), other("nobody that it names")),
            (json!({"annotations": {"routing.hyperguild.io/policy-uid": "u1"}}), Owner::ThisPolicy),
            (json!({"annotations": {"routing.hyperguild.io/policy-uid": "u0"}}), other("nobody that it names")),
            (json!({"annotations": {"routing.hyperguild.io/adopt": "edge"}}), Owner::ThisPolicy),
        ];
        for (meta, expected) in rows {
            let object: ObjectMeta = serde_json::from_value(meta.clone()).expect("metadata");
            assert_eq!(owner(&object, "edge", "u1"), expected, "{meta}");
        }
        let meta = json!({"annotations": {"routing.hyperguild.io/adopt": "core"}});
        let object: ObjectMeta = serde_json::from_value(meta).expect("metadata");
        assert_eq!(owner(&object, "edge", "u1"), other("nobody that it names"));
    }
}
