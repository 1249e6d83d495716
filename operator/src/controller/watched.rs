//! An object as watches keep it: its name, its version, and what ties it to a policy. Everything else is skipped unread:
//! a list is decoded as a whole, so an object that cannot be decoded would hide every other one, of every namespace.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::{Resource, api::ObjectMeta};
use serde::{Deserialize, Deserializer};

/// What the names of our own annotations begin with.
pub const OURS: &str = "routing.hyperguild.io/";

/// The metadata of an object of kind `K`; requests for it ask for metadata alone.
pub struct Watched<K> {
    metadata: ObjectMeta,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Watched<K> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Watched<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metadata.fmt(f)
    }
}

/// What is read. Managed fields are not: anyone who may write an object can nest them as deep as they like.
#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'de, K> Deserialize<'de> for Watched<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Object::deserialize(deserializer)?.metadata;
        // kubectl keeps whole objects in one of theirs.
        read.annotations.iter_mut().for_each(|all| all.retain(|name, _| name.starts_with(OURS)));
        let metadata = ObjectMeta {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            deletion_timestamp: read.deletion_timestamp,
            labels: read.labels,
            annotations: read.annotations.filter(|annotations| !annotations.is_empty()),
            owner_references: read.owner_references,
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, kind: PhantomData })
    }
}

impl<K: Resource> Resource for Watched<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn group(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn plural(kind: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn metadata_api() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crds::RoutingPolicy;
    use kube::{ResourceExt, core::ObjectList};

    use super::*;

    #[test]
    fn one_object_that_is_nested_too_deep_hides_no_other() {
        let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let item =
            |name: &str, more: &str| format!(r#"{{"metadata": {{"name": "{name}", "labels": {{"a": "b"}}{more}}}}}"#);
        let managed = format!(r#", "managedFields": [{{"fieldsV1": {}}}]"#, nested(r#"{"f:a":"#, "}"));
        let spec = format!(r#"{{"metadata": {{"name": "full"}}, "spec": {{"a": {}}}}}"#, nested("[", "]"));
        let list = format!(
            r#"{{"kind": "List", "apiVersion": "v1", "metadata": {{}}, "items": [{}, {spec}, {}]}}"#,
            item("deep", &managed),
            item("good", "")
        );
        let list: ObjectList<Watched<RoutingPolicy>> = serde_json::from_str(&list).expect("a list");
        let names: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["deep", "full", "good"]);
        assert_eq!(list.items[2].labels()["a"], "b");
        let annotated = r#"{"metadata": {"annotations": {"routing.hyperguild.io/requestedAt": "now", "other": "x"}}}"#;
        let read: Watched<RoutingPolicy> = serde_json::from_str(annotated).expect("an object");
        assert_eq!(read.annotations().keys().collect::<Vec<_>>(), ["routing.hyperguild.io/requestedAt"]);
    }
}
