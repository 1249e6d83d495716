//! The Services, through which callers reach the pods.

use std::collections::BTreeMap;

use crds::{RoutingPolicy, policy::ServiceType};
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{ResourceExt, api::ObjectMeta};

use super::pod::MCP_PORT_NAME;
use crate::controller::{
    child::{load_balancer_service, node_port_service},
    labels,
};

/// The Service inside the cluster; every policy has it.
#[must_use]
pub fn cluster_ip(policy: &RoutingPolicy) -> Service {
    let annotations = match policy.spec.service.kind {
        ServiceType::ClusterIP => Some(&policy.spec.service.annotations),
        ServiceType::NodePort | ServiceType::LoadBalancer => None,
    };
    service(policy, &policy.name_any(), "ClusterIP", None, annotations)
}

/// The Service for callers outside the cluster, unless the policy's `service.type` is ClusterIP.
#[must_use]
pub fn exposed(policy: &RoutingPolicy) -> Option<Service> {
    let (name, given) = (policy.name_any(), &policy.spec.service);
    match given.kind {
        ServiceType::ClusterIP => None,
        ServiceType::NodePort => {
            Some(service(policy, &node_port_service(&name), "NodePort", given.node_port, Some(&given.annotations)))
        }
        ServiceType::LoadBalancer => {
            Some(service(policy, &load_balancer_service(&name), "LoadBalancer", None, Some(&given.annotations)))
        }
    }
}

fn service(
    policy: &RoutingPolicy,
    name: &str,
    kind: &str,
    node_port: Option<u16>,
    annotations: Option<&BTreeMap<String, String>>,
) -> Service {
    let ObjectMeta { annotations: own, .. } = labels::metadata(policy, name);
    // The operator's own come last, so that they override the policy's.
    let annotations = annotations.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone()));
    Service {
        metadata: ObjectMeta {
            annotations: Some(annotations.chain(own.into_iter().flatten()).collect()),
            ..labels::metadata(policy, name)
        },
        spec: Some(ServiceSpec {
            type_: Some(kind.into()),
            selector: Some(labels::selector(&policy.name_any())),
            ports: Some(vec![ServicePort {
                name: Some(MCP_PORT_NAME.into()),
                port: i32::from(policy.spec.service.port),
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String(MCP_PORT_NAME.into())),
                node_port: node_port.map(i32::from),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
