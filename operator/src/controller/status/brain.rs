//! The brain that the operator runs.

use crds::{
    managed,
    policy::{BrainStatus, ManagedBrain},
};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::Observed;
use crate::controller::{
    build,
    child::{ChildKey, ChildKind},
};

/// Address and pods of the brain; none: the operator runs none.
pub(super) fn brain(observed: &Observed<'_>) -> Option<BrainStatus> {
    let managed = build::brain::managed(observed.policy)?;
    let policy = observed.policy.name_any();
    let namespace = observed.policy.namespace().unwrap_or_default();
    let service = object(observed, ChildKind::Service);
    let port = service.and_then(|service| service.data.pointer("/spec/ports/0/nodePort")).and_then(Value::as_u64);
    Some(BrainStatus {
        url: managed::url(&policy, &namespace),
        node_port: port.and_then(|port| port.try_into().ok()),
        replicas: u32::from(managed.replicas),
        ready: ready(observed, managed),
        claim: managed.database_url_secret_ref.is_none().then(|| managed::claim_name(&policy)),
    })
}

/// Whether what runs the brain's pods exists.
pub(super) fn exists(observed: &Observed<'_>, managed: &ManagedBrain) -> bool {
    object(observed, workload(managed)).is_some()
}

fn ready(observed: &Observed<'_>, managed: &ManagedBrain) -> u32 {
    let ready = object(observed, workload(managed)).and_then(|object| object.data.pointer("/status/readyReplicas"));
    ready.and_then(Value::as_u64).and_then(|ready| ready.try_into().ok()).unwrap_or_default()
}

fn workload(managed: &ManagedBrain) -> ChildKind {
    if managed.database_url_secret_ref.is_some() { ChildKind::Deployment } else { ChildKind::StatefulSet }
}

fn object<'a>(observed: &'a Observed<'_>, kind: ChildKind) -> Option<&'a DynamicObject> {
    observed.applied.objects.get(&ChildKey::new(kind, managed::object_name(&observed.policy.name_any())))
}
