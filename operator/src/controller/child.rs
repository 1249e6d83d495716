//! The objects that a policy becomes, and where they are.

use crds::RoutingPolicy;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ObjectMeta},
};
use serde_json::Value;

/// Kinds of children, in the order in which they are applied: what pods need comes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// The pods' identity; it has no rights.
    ServiceAccount,
    /// The config.
    ConfigMap,
    /// The pods.
    Deployment,
    /// How they are reached.
    Service,
    /// How many may be away at once.
    PodDisruptionBudget,
    /// Which connections they may have.
    NetworkPolicy,
}

impl ChildKind {
    /// Group, version and plural, as the API server knows it.
    #[must_use]
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
        }
    }
}

/// Which child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildKey {
    /// One of the kinds that a policy becomes.
    pub kind: ChildKind,
    /// In the policy's namespace.
    pub name: String,
}

impl ChildKey {
    /// A child of this kind and name.
    pub fn new(kind: ChildKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl std::fmt::Display for ChildKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// A child as it is built.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Kind and name.
    pub key: ChildKey,
    /// The fields that the operator sets, and no others.
    pub body: Value,
}

/// Name of the Service that opens a port on every node.
#[must_use]
pub fn node_port_service(policy: &str) -> String {
    format!("{policy}-nodeport")
}

/// Name of the Service that asks for a load balancer.
#[must_use]
pub fn load_balancer_service(policy: &str) -> String {
    format!("{policy}-lb")
}

/// Every child that a policy of this name can have.
#[must_use]
pub fn every_child(policy: &str) -> Vec<ChildKey> {
    vec![
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

/// A policy's namespace in the cluster.
#[derive(Clone)]
pub struct Namespace {
    client: Client,
    /// As in `metadata.namespace` of the policy.
    pub name: String,
}

impl Namespace {
    /// The namespace of a policy.
    #[must_use]
    pub fn of(policy: &ObjectMeta, client: &Client) -> Self {
        Self { client: client.clone(), name: policy.namespace.clone().unwrap_or_default() }
    }

    /// Its objects of a kind.
    #[must_use]
    pub fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &kind.api_resource())
    }

    /// Its ConfigMaps.
    #[must_use]
    pub fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Its pods.
    #[must_use]
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Its policies, untyped: an object of another version of the definition might not be readable as a policy.
    #[must_use]
    pub fn policies(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<RoutingPolicy>(&());
        Api::namespaced_with(self.client.clone(), &self.name, &resource)
    }
}
