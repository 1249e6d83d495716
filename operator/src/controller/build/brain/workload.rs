//! What runs the brain's pods: a StatefulSet with a claim for SQLite, a Deployment for Postgres.

use std::collections::BTreeMap;

use crds::{
    RoutingPolicy,
    managed::{CLAIM_TEMPLATE, STORAGE, object_name},
    policy::{ManagedBrain, Reclaim},
};
use k8s_openapi::{
    api::{
        apps::v1::{
            Deployment, DeploymentSpec, StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
        },
        core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, VolumeResourceRequirements},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{ResourceExt, api::ObjectMeta};

use super::pod;
use crate::controller::{
    build::deployment::{HISTORY, strategy},
    labels,
};

/// What runs the pods.
#[derive(Debug)]
pub enum Workload {
    /// One pod with a claim of its own.
    StatefulSet(Box<StatefulSet>),
    /// Pods that keep nothing themselves.
    Deployment(Box<Deployment>),
}

/// What runs the brain's pods; `image` is used unless the policy names one.
#[must_use]
pub fn workload(policy: &RoutingPolicy, managed: &ManagedBrain, image: &str) -> Workload {
    if managed.database_url_secret_ref.is_some() {
        Workload::Deployment(Box::new(deployment(policy, managed, image)))
    } else {
        Workload::StatefulSet(Box::new(stateful_set(policy, managed, image)))
    }
}

fn deployment(policy: &RoutingPolicy, managed: &ManagedBrain, image: &str) -> Deployment {
    let policy_name = policy.name_any();
    Deployment {
        metadata: labels::brain_metadata(policy, &object_name(&policy_name)),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::from(managed.replicas)),
            revision_history_limit: Some(HISTORY),
            selector: labels::as_selector(labels::brain_selector(&policy_name)),
            strategy: Some(strategy()),
            template: template(policy, managed, image),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn stateful_set(policy: &RoutingPolicy, managed: &ManagedBrain, image: &str) -> StatefulSet {
    let policy_name = policy.name_any();
    let name = object_name(&policy_name);
    StatefulSet {
        metadata: labels::brain_metadata(policy, &name),
        spec: Some(StatefulSetSpec {
            service_name: Some(name),
            replicas: Some(i32::from(managed.replicas)),
            revision_history_limit: Some(HISTORY),
            // A pod that never became ready, for example for want of its image, is replaced by a corrected one; with
            // OrderedReady the controller would wait for it forever.
            pod_management_policy: Some("Parallel".into()),
            selector: labels::as_selector(labels::brain_selector(&policy_name)),
            template: template(policy, managed, image),
            volume_claim_templates: Some(vec![claim(&policy_name, managed)]),
            persistent_volume_claim_retention_policy: Some(retention(managed.reclaim)),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// A brain that is scaled to zero keeps its claim in any case: that is how a backup is restored.
fn retention(reclaim: Reclaim) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    let deleted = match reclaim {
        Reclaim::Retain => "Retain",
        Reclaim::Delete => "Delete",
    };
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(deleted.into()),
        when_scaled: Some("Retain".into()),
    }
}

/// SQLite needs a disk that no other machine writes to.
fn claim(policy: &str, managed: &ManagedBrain) -> PersistentVolumeClaim {
    let storage = managed.storage.as_ref().map_or(STORAGE, |storage| &storage.0);
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(CLAIM_TEMPLATE.into()),
            labels: Some(labels::of_brain(policy)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: managed.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_string(), Quantity(storage.into()))])),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

fn template(policy: &RoutingPolicy, managed: &ManagedBrain, image: &str) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels::of_brain(&policy.name_any())), ..ObjectMeta::default() }),
        spec: Some(pod::pod_spec(policy, managed, image)),
    }
}
