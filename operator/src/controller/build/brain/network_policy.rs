//! Which connections the brain's pods may have.

use std::collections::BTreeSet;

use crds::{RoutingPolicy, pod::BRAIN_PORT, policy::ManagedBrain};
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicySpec,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::ResourceExt;

use crate::controller::{
    build::{
        network_policy::{collector, monitoring, names, port},
        pod::present,
    },
    labels,
};

/// Postgres' own port. The URL is in a Secret, so no other is known.
const POSTGRES_PORT: u16 = 5432;

/// The NetworkPolicy of the brain's pods. In: its port, for pods of the policy's namespace, among them the data plane's,
/// and for monitoring; with a nodePort for everybody, as the address of a caller outside is lost on the way. The token
/// decides who may. Out: nothing, or DNS with Postgres and the OpenTelemetry collector.
#[must_use]
pub fn network_policy(policy: &RoutingPolicy, name: &str, managed: &ManagedBrain) -> NetworkPolicy {
    NetworkPolicy {
        metadata: labels::brain_metadata(policy, name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labels::as_selector(labels::brain_selector(&policy.name_any()))),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
            ingress: Some(vec![
                NetworkPolicyIngressRule {
                    ports: Some(vec![port("TCP", BRAIN_PORT)]),
                    from: managed.node_port.is_none().then(|| vec![neighbours()]),
                },
                monitoring(BRAIN_PORT),
            ]),
            egress: present(egress(policy, managed)),
        }),
    }
}

/// Every pod of the same namespace.
fn neighbours() -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }
}

/// DNS and the ports of the servers that the brain asks, if there are any.
fn egress(policy: &RoutingPolicy, managed: &ManagedBrain) -> Vec<NetworkPolicyEgressRule> {
    let postgres = managed.database_url_secret_ref.as_ref().map(|_| POSTGRES_PORT);
    let ports: BTreeSet<u16> = postgres.into_iter().chain(collector(policy)).collect();
    if ports.is_empty() {
        return vec![];
    }
    let servers = ports.into_iter().map(|number| port("TCP", number)).collect();
    vec![names(), NetworkPolicyEgressRule { ports: Some(servers), to: None }]
}
