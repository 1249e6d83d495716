//! A policy as the API server returns it. While the CustomResourceDefinition is newer than the operator, which happens
//! during an upgrade and a downgrade, a policy can have fields that this version does not know.

use std::borrow::Cow;

use crds::{RoutingPolicy, document};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::DeserializeGuard};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

type Guarded = DeserializeGuard<RoutingPolicy>;

/// A policy, or why it cannot be decoded, and its fields that this version does not know.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy as this version knows it, or why it cannot be decoded.
    pub read: Guarded,
    /// The fields of its spec that this version does not know.
    pub unknown: Vec<UnknownField>,
}

/// A field that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its path, for example `spec.skills[0].field`.
    pub path: String,
    value: Value,
}

impl UnknownField {
    /// Inserts the field into a spec as JSON, at its path; does nothing if the parent does not exist.
    pub fn put_into(&self, spec: &mut Value) {
        let pointer = pointer(&self.path);
        let Some((parent, name)) = pointer.strip_prefix("/spec").and_then(|below| below.rsplit_once('/')) else {
            return;
        };
        if let Some(fields) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.insert(name.into(), self.value.clone());
        }
    }
}

/// The JSON pointer for a path: `/spec/skills/0/field` for `spec.skills[0].field`.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// The fields of a policy's spec that this version does not know.
fn unknown(raw: &Value) -> Vec<UnknownField> {
    // Not those of the status: the operator writes it, and an operator of another version may have left fields in it.
    let paths = document::unknown_fields(raw).into_iter().filter(|path| path.starts_with("spec."));
    let found = paths.filter_map(|path| Some(UnknownField { value: raw.pointer(&pointer(&path))?.clone(), path }));
    found.collect()
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Value::deserialize(deserializer)?;
        let unknown = unknown(&raw);
        Ok(Self { read: Guarded::deserialize(raw).map_err(D::Error::custom)?, unknown })
    }
}

impl Resource for Policy {
    type DynamicType = <Guarded as Resource>::DynamicType;
    type Scope = <Guarded as Resource>::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        Guarded::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        Guarded::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        Guarded::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        Guarded::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        self.read.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.read.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: &Value) -> Policy {
        serde_json::from_value(json!({"apiVersion": "routing.hyperguild.io/v1alpha1", "kind": "RoutingPolicy",
            "metadata": {"name": "edge", "managedFields": [{"manager": "kubectl"}]}, "spec": spec, "status": {"newer": 1}}))
        .expect("a policy")
    }

    #[test]
    fn fields_that_this_version_does_not_know_are_kept() {
        let spec = json!({"upstream": {"url": "http://a", "newer": true}, "futureField": {"a": [1]},
            "models": {"local": {"name": "l", "parameters": {"anything": 1}}, "claude": {"name": "c"}},
            "skills": [{"name": "debug"}, {"name": "trainer", "retries": 2}]});
        let policy = policy(&spec);
        let known = policy.read.0.as_ref().expect("read");
        assert_eq!((known.spec.upstream.url.as_str(), known.metadata.name.as_deref()), ("http://a", Some("edge")));
        let paths: Vec<&str> = policy.unknown.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["spec.upstream.newer", "spec.futureField", "spec.skills[1].retries"]);

        let mut rendered = json!({"upstream": {"url": "http://a"}, "skills": [{"name": "debug"}, {"name": "trainer"}]});
        policy.unknown.iter().for_each(|field| field.put_into(&mut rendered));
        assert_eq!(
            rendered,
            json!({"upstream": {"url": "http://a", "newer": true}, "futureField": {"a": [1]},
                "skills": [{"name": "debug"}, {"name": "trainer", "retries": 2}]})
        );
        let mut without_its_place = json!({"skills": []});
        policy.unknown[2].put_into(&mut without_its_place);
        assert_eq!(without_its_place, json!({"skills": []}));
    }

    #[test]
    fn a_policy_that_cannot_be_decoded_keeps_its_metadata() {
        let policy = policy(&json!({"upstream": 1}));
        assert!(policy.read.0.is_err());
        assert_eq!(policy.meta().name.as_deref(), Some("edge"));
    }
}
