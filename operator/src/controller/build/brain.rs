//! The brain that the operator runs beside a policy, in the shape of `deploy/brain`.

pub mod network_policy;
pub mod pod;
pub mod workload;

use crds::{RoutingPolicy, managed::object_name, pod::BRAIN_PORT, policy::ManagedBrain};
use k8s_openapi::{
    api::{
        core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use self::workload::Workload;
use super::{child, disruption_budget::budget};
use crate::controller::{
    child::{Child, ChildKind},
    labels,
};

/// The children of a policy that are its brain.
#[derive(Debug)]
pub struct Brain {
    service_account: ServiceAccount,
    workload: Workload,
    service: Service,
    disruption_budget: Option<PodDisruptionBudget>,
    network_policy: NetworkPolicy,
}

/// The brain of a policy, if the operator runs one; `image` is used unless the policy names one.
#[must_use]
pub fn brain(policy: &RoutingPolicy, image: &str) -> Option<Brain> {
    let managed = managed(policy)?;
    let name = object_name(&policy.name_any());
    Some(Brain {
        service_account: ServiceAccount {
            metadata: labels::brain_metadata(policy, &name),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        workload: workload::workload(policy, managed, image),
        service: service(policy, &name, managed),
        // A single pod has none: it would block every drain.
        disruption_budget: (managed.replicas > 1).then(|| {
            budget(
                labels::brain_metadata(policy, &name),
                labels::as_selector(labels::brain_selector(&policy.name_any())),
            )
        }),
        network_policy: network_policy::network_policy(policy, &name, managed),
    })
}

/// How the operator runs the policy's brain; none: it does not.
#[must_use]
pub fn managed(policy: &RoutingPolicy) -> Option<&ManagedBrain> {
    policy.spec.brain.as_ref()?.managed.as_ref()
}

/// One Service for both: of type NodePort it has an address inside the cluster, too.
fn service(policy: &RoutingPolicy, name: &str, managed: &ManagedBrain) -> Service {
    let kind = if managed.node_port.is_some() { "NodePort" } else { "ClusterIP" };
    Service {
        metadata: labels::brain_metadata(policy, name),
        spec: Some(ServiceSpec {
            type_: Some(kind.into()),
            selector: Some(labels::brain_selector(&policy.name_any())),
            ports: Some(vec![ServicePort {
                name: Some(pod::PORT_NAME.into()),
                port: i32::from(BRAIN_PORT),
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String(pod::PORT_NAME.into())),
                node_port: managed.node_port.map(i32::from),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

impl Brain {
    /// The children in the order of applying. Destructured without `..`: leaving out a new one does not compile.
    #[must_use]
    pub fn into_list(self) -> Vec<Child> {
        let Self { service_account, workload, service, disruption_budget, network_policy } = self;
        let mut list = vec![
            child(ChildKind::ServiceAccount, &service_account),
            child(ChildKind::NetworkPolicy, &network_policy),
            child(ChildKind::Service, &service),
            match workload {
                Workload::StatefulSet(set) => child(ChildKind::StatefulSet, &*set),
                Workload::Deployment(deployment) => child(ChildKind::Deployment, &*deployment),
            },
        ];
        list.extend(disruption_budget.map(|budget| child(ChildKind::PodDisruptionBudget, &budget)));
        list
    }
}

#[cfg(test)]
mod tests;
