//! The children: objects that the operator creates for a policy, and access to the namespace that they are in.

use std::collections::BTreeMap;

use crds::{RoutingPolicy, managed};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, GetParams, ObjectMeta, Patch, PatchParams, Request},
};
use serde_json::Value;

use super::{error::RequestError, watched::Watched};

/// Kinds of children, in the order in which they are applied: what pods need comes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// The pods' identity; it has no rights.
    ServiceAccount,
    /// The config, and the last one that all pods ran.
    ConfigMap,
    /// The claim of the brain's SQLite file. Its StatefulSet creates it; the operator only lets it grow.
    PersistentVolumeClaim,
    /// Runs a brain with a SQLite file.
    StatefulSet,
    /// Runs the pods of the data plane, or those of a brain on Postgres.
    Deployment,
    /// Where callers reach the pods.
    Service,
    /// How many pods may be unavailable at once while nodes are drained.
    PodDisruptionBudget,
    /// Which connections the pods may have.
    NetworkPolicy,
}

impl ChildKind {
    /// Group, version and plural, for requests to the API server.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
        }
    }
}

/// Identifies a child of a policy, as in `Service edge-nodeport`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildKey {
    /// Kind of the object.
    pub kind: ChildKind,
    /// Name of the object, in the policy's namespace.
    pub name: String,
}

impl ChildKey {
    /// The key of the child with this kind and name.
    pub fn new(kind: ChildKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl std::fmt::Display for ChildKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// A child as built.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Kind and name.
    pub key: ChildKey,
    /// The fields that the operator sets, and no others.
    pub body: Value,
}

/// Name of the Service that opens a port on every node: `<policy>-nodeport`.
#[must_use]
pub fn node_port_service(policy: &str) -> String {
    format!("{policy}-nodeport")
}

/// Name of the Service that requests a load balancer: `<policy>-lb`.
#[must_use]
pub fn load_balancer_service(policy: &str) -> String {
    format!("{policy}-lb")
}

/// Every child that a policy with this name can have, and the claim of its brain.
#[must_use]
pub fn every_child(policy: &str) -> Vec<ChildKey> {
    let brain = managed::object_name(policy);
    vec![
        ChildKey::new(ChildKind::ServiceAccount, &brain),
        ChildKey::new(ChildKind::PersistentVolumeClaim, managed::claim_name(policy)),
        ChildKey::new(ChildKind::StatefulSet, &brain),
        ChildKey::new(ChildKind::Deployment, &brain),
        ChildKey::new(ChildKind::Service, &brain),
        ChildKey::new(ChildKind::PodDisruptionBudget, &brain),
        ChildKey::new(ChildKind::NetworkPolicy, &brain),
        ChildKey::new(ChildKind::ServiceAccount, policy),
        ChildKey::new(ChildKind::ConfigMap, policy),
        ChildKey::new(ChildKind::Deployment, policy),
        ChildKey::new(ChildKind::Service, policy),
        ChildKey::new(ChildKind::Service, node_port_service(policy)),
        ChildKey::new(ChildKind::Service, load_balancer_service(policy)),
        ChildKey::new(ChildKind::PodDisruptionBudget, policy),
        ChildKey::new(ChildKind::NetworkPolicy, policy),
    ]
}

/// Access to the objects in a policy's namespace.
#[derive(Clone)]
pub struct Namespace {
    client: Client,
    /// The policy's `metadata.namespace`.
    pub name: String,
}

impl Namespace {
    /// The namespace of the policy with this metadata.
    #[must_use]
    pub fn of(policy: &ObjectMeta, client: &Client) -> Self {
        Self { client: client.clone(), name: policy.namespace.clone().unwrap_or_default() }
    }

    /// Objects of a child's kind, untyped.
    #[must_use]
    pub fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &kind.api_resource())
    }

    /// ConfigMaps, for the texts that a policy refers to.
    #[must_use]
    pub fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Pods, to list and to annotate.
    #[must_use]
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// The text of a policy as the API server has it; none: it does not exist.
    ///
    /// # Errors
    /// The API server did not answer, or refused.
    pub async fn policy_text(&self, name: &str) -> Result<Option<String>, RequestError> {
        let path = RoutingPolicy::url_path(&(), Some(&self.name));
        let what = format!("reading policy {name}");
        let request = Request::new(path).get(name, &GetParams::default());
        let request = request.map_err(|error| RequestError::new(what.clone())(kube::Error::BuildRequest(error)))?;
        match self.client.request_text(request).await {
            Ok(text) => Ok(Some(text)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(RequestError::new(what)(error)),
        }
    }

    /// The labels of a Secret; none: it does not exist. Only its metadata is requested.
    ///
    /// # Errors
    /// The API server did not answer, or refused.
    pub async fn secret_labels(&self, name: &str) -> kube::Result<Option<BTreeMap<String, String>>> {
        let request = Request::new(Secret::url_path(&(), Some(&self.name))).get_metadata(name, &GetParams::default());
        match self.client.request::<Watched<Secret>>(request.map_err(kube::Error::BuildRequest)?).await {
            Ok(secret) => Ok(Some(secret.labels().clone())),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes the status of a policy; returns the policy as text, as it can be of another version, or nested too deep. None:
    /// it does not exist.
    ///
    /// # Errors
    /// The API server did not answer, or refused.
    pub async fn patch_policy_status(
        &self,
        name: &str,
        parameters: &PatchParams,
        patch: &Patch<()>,
    ) -> kube::Result<Option<String>> {
        let path = RoutingPolicy::url_path(&(), Some(&self.name));
        let request = Request::new(path).patch_subresource("status", name, parameters, patch);
        match self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await {
            Ok(text) => Ok(Some(text)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}
