//! What is compared: the children, the operator's own entries of their `managedFields`, and the policy's status, all
//! without what differs between two installations anyway.

use std::collections::BTreeMap;

use kube::{ResourceExt, api::DynamicObject};
use operator::controller::labels::FIELD_MANAGER;
use serde_json::{Value, json};

use super::place::{Found, Place};

/// What a namespace holds, by kind and name.
pub type Snapshot = BTreeMap<String, Value>;

/// Written by the controller of Deployments; it counts how often the pods' template changed.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// A namespace as it is at one time, or nearly so.
pub struct Observation {
    /// What is compared.
    pub snapshot: Snapshot,
    /// The `resourceVersion` of each child and of the policy.
    pub versions: BTreeMap<String, String>,
}

/// Reads what a namespace holds.
///
/// # Errors
/// The API server did not answer.
pub async fn observe(place: &Place) -> kube::Result<Observation> {
    let (policy, children) = futures::try_join!(place.policy(), place.children())?;
    let uid = policy.as_ref().and_then(ResourceExt::uid);
    let general = |value: Value| without_names(&value, &place.namespace, uid.as_deref());
    let (mut snapshot, mut versions) = (Snapshot::new(), BTreeMap::new());
    for child in &children {
        let name = format!("{} {}", child.kind, child.name);
        versions.insert(name.clone(), child.object.resource_version().unwrap_or_default());
        snapshot.insert(name, general(comparable(&child.object, place.own_port())));
    }
    if let Some(policy) = &policy {
        let name = format!("RoutingPolicy {}", policy.name_any());
        versions.insert(name.clone(), policy.resource_version().unwrap_or_default());
        let mut seen = status(policy, &node_ports(&children));
        if is_named_in_config(&place.namespace, &children) {
            // Then the hash is another in each namespace.
            assigned(seen.pointer_mut("/status/configHash"));
        }
        snapshot.insert(name, general(seen));
    }
    Ok(Observation { snapshot, versions })
}

/// The namespace and the policy's UID differ. Text, as both are also in keys and within other values.
fn without_names(value: &Value, namespace: &str, uid: Option<&str>) -> Value {
    let text = value.to_string().replace(namespace, "NAMESPACE");
    let text = uid.map_or_else(|| text.clone(), |uid| text.replace(uid, "UID"));
    serde_json::from_str(&text).expect("JSON")
}

/// A child without its status, and without what the API server assigned to it; with the namespace's own port it has that one.
fn comparable(object: &DynamicObject, own_port: Option<u16>) -> Value {
    let metadata = &object.metadata;
    let mut annotations = metadata.annotations.clone().unwrap_or_default();
    annotations.remove(REVISION);
    let mut rest = object.data.clone();
    if let Some(fields) = rest.as_object_mut() {
        fields.remove("status");
    }
    for path in ["/spec/clusterIP", "/spec/clusterIPs/0"] {
        assigned(rest.pointer_mut(path));
    }
    let ports = rest.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(|port| port.get_mut("nodePort")) {
        *port = json!(if own_port.is_some_and(|own| *port == json!(own)) { "own" } else { "assigned" });
    }
    json!({
        "labels": metadata.labels,
        "annotations": annotations,
        "owners": metadata.owner_references,
        "finalizers": metadata.finalizers,
        "is being deleted": metadata.deletion_timestamp.is_some(),
        "own managedFields": own_entries(object),
        "object": rest,
    })
}

/// Of an address that the cluster assigns only that there is one: `None` stays.
fn assigned(value: Option<&mut Value>) {
    if let Some(value) = value.filter(|value| **value != json!("None")) {
        *value = json!("assigned");
    }
}

/// Whether the config has the namespace in it, as it has in the address of a managed brain.
fn is_named_in_config(namespace: &str, children: &[Found]) -> bool {
    let mut configs = children.iter().filter(|child| child.kind == "ConfigMap");
    configs.any(|child| child.object.data["data"].to_string().contains(namespace))
}

/// The node ports of the Services that there are.
fn node_ports(children: &[Found]) -> Vec<Value> {
    let ports = children.iter().filter_map(|child| child.object.data.pointer("/spec/ports")?.as_array());
    ports.flatten().map(|port| port["nodePort"].clone()).filter(|port| !port.is_null()).collect()
}

/// What the operator is recorded to own, without times.
fn own_entries(object: &DynamicObject) -> Vec<Value> {
    let own = object.managed_fields().iter().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let mut own: Vec<Value> = own
        .map(|entry| {
            json!({"operation": entry.operation, "subresource": entry.subresource, "version": entry.api_version,
                "fields": entry.fields_v1})
        })
        .collect();
    own.sort_by_key(Value::to_string);
    own
}

/// The status of a policy without times; of generations only whether they are the policy's current one, of a node port
/// whether it is one of these.
fn status(policy: &DynamicObject, node_ports: &[Value]) -> Value {
    let generation = json!(policy.metadata.generation);
    let undated = |value: &mut Value| {
        let Some(fields) = value.as_object_mut() else { return };
        fields.remove("lastTransitionTime");
        if let Some(observed) = fields.get_mut("observedGeneration") {
            *observed = json!(*observed == generation);
        }
    };
    let mut status = policy.data["status"].clone();
    undated(&mut status);
    status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten().for_each(undated);
    if let Some(port) = status.pointer_mut("/endpoint/nodePort") {
        *port = json!(node_ports.contains(port));
    }
    json!({"status": status, "is being deleted": policy.metadata.deletion_timestamp.is_some()})
}

/// Where two snapshots differ, a line each: what was expected, and what is there.
#[must_use]
pub fn differences(expected: &Snapshot, found: &Snapshot) -> Vec<String> {
    let (expected, found) = (leaves(expected), leaves(found));
    let missing = expected.iter().filter(|(path, value)| found.get(*path) != Some(*value));
    let other = found.iter().filter(|(path, value)| expected.get(*path) != Some(*value));
    let missing = missing.map(|(path, value)| format!("{path}: expected {value}"));
    let mut lines: Vec<String> = missing.chain(other.map(|(path, value)| format!("{path}: found {value}"))).collect();
    lines.sort();
    lines
}

fn leaves(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    snapshot.iter().for_each(|(name, value)| collect(name, value, &mut all));
    all
}

fn collect(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, field)| collect(&format!("{path}/{name}"), field, all));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, item)| collect(&format!("{path}/{at}"), item, all));
        }
        _ => drop(all.insert(path.into(), value.to_string())),
    }
}

#[cfg(test)]
mod tests;
