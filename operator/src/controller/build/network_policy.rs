//! Which connections the pods may have: from callers and the operator, and to DNS, the models and the brain.

use std::collections::BTreeSet;

use crds::{
    RoutingPolicy, RoutingTable,
    pod::{ADMIN_PORT, MCP_PORT},
};
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::ResourceExt;

use crate::controller::labels;

const DNS_PORT: u16 = 53;
/// Label that every namespace has, with its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Label of the namespaces whose pods may read metrics.
const MONITORING: &str = "routing.hyperguild.io/monitoring";

/// The NetworkPolicy of the pods. It fits all of the tables: while a change rolls out, and while a pod refuses it, pods
/// run the previous one. Models and brain can have any address, so only their ports are given. `operators` is the
/// namespace of the operator's pods.
#[must_use]
pub fn network_policy(policy: &RoutingPolicy, tables: &[&RoutingTable], operators: &str) -> NetworkPolicy {
    let name = policy.name_any();
    NetworkPolicy {
        metadata: labels::metadata(policy, &name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labels::label_selector(&name)),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ingress: Some(vec![callers(), operator(operators), monitoring(ADMIN_PORT)]),
            egress: Some(vec![names(), upstreams(tables, collector(policy))]),
        }),
    }
}

fn callers() -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { ports: Some(vec![port("TCP", MCP_PORT)]), from: None }
}

/// The admin port has no token: only the operator and monitoring may query it (and the kubelet, which no NetworkPolicy
/// blocks).
fn operator(namespace: &str) -> NetworkPolicyIngressRule {
    let peer = NetworkPolicyPeer {
        namespace_selector: Some(labelled(NAMESPACE_NAME, namespace)),
        pod_selector: Some(labelled(labels::APPLICATION, labels::OPERATOR)),
        ..NetworkPolicyPeer::default()
    };
    NetworkPolicyIngressRule { ports: Some(vec![port("TCP", ADMIN_PORT)]), from: Some(vec![peer]) }
}

/// Who may label namespaces decides who reads metrics at this port. The admin port has `/status`, too, which shows no more
/// than they do; what is not open on the brain's port needs the token.
pub(super) fn monitoring(number: u16) -> NetworkPolicyIngressRule {
    let peer =
        NetworkPolicyPeer { namespace_selector: Some(labelled(MONITORING, "true")), ..NetworkPolicyPeer::default() };
    NetworkPolicyIngressRule { ports: Some(vec![port("TCP", number)]), from: Some(vec![peer]) }
}

fn labelled(name: &str, value: &str) -> LabelSelector {
    LabelSelector { match_labels: Some([(name.to_string(), value.to_string())].into()), ..LabelSelector::default() }
}

pub(super) fn names() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { ports: Some(vec![port("UDP", DNS_PORT), port("TCP", DNS_PORT)]), to: None }
}

/// The port of the OpenTelemetry collector, if there is one.
pub(super) fn collector(policy: &RoutingPolicy) -> Option<u16> {
    let telemetry = policy.spec.data_plane.telemetry.as_ref()?;
    crds::compile::parse_base_url(&telemetry.url).ok()?.port_or_known_default()
}

fn upstreams(tables: &[&RoutingTable], collector: Option<u16>) -> NetworkPolicyEgressRule {
    let numbers: BTreeSet<u16> = tables.iter().flat_map(|table| called_ports(table)).chain(collector).collect();
    NetworkPolicyEgressRule { ports: Some(numbers.into_iter().map(|number| port("TCP", number)).collect()), to: None }
}

fn called_ports(table: &RoutingTable) -> impl Iterator<Item = u16> {
    let brain = table.brain.iter().map(|brain| &brain.url);
    table.models().map(|(_, model)| &model.url).chain(brain).filter_map(|url| url.port_or_known_default())
}

pub(super) fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.into()),
        port: Some(IntOrString::Int(i32::from(number))),
        ..NetworkPolicyPort::default()
    }
}
