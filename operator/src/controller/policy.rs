//! A policy as the API server has it. Where the CustomResourceDefinition is of a newer version, as it is for a while in an
//! upgrade and on the way back, that may be more than this version knows.

use std::borrow::Cow;

use crds::{RoutingPolicy, document};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::DeserializeGuard};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

type Guarded = DeserializeGuard<RoutingPolicy>;

/// A policy, or why it cannot be read, and what this version does not know of it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What this version knows.
    pub read: Guarded,
    /// What it does not.
    pub unknown: Vec<UnknownField>,
}

/// A field that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its path, `spec.skills[0].field`.
    pub path: String,
    value: Value,
}

impl UnknownField {
    /// Puts the field in its place of a spec as JSON; where that place is not there, nowhere.
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

/// `/spec/skills/0/field` of `spec.skills[0].field`.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// The fields of a policy that this version does not know.
fn unknown(raw: &Value) -> Vec<UnknownField> {
    // The status is the operator's own, whatever an earlier one of another version left in it.
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
    fn what_this_version_does_not_know_is_kept_beside_what_it_knows() {
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
    fn one_that_can_not_be_read_is_told_from_the_others() {
        let policy = policy(&json!({"upstream": 1}));
        assert!(policy.read.0.is_err());
        assert_eq!(policy.meta().name.as_deref(), Some("edge"));
    }
}
