//! Whether NetworkPolicies allow a connection, as the Kubernetes API defines it and without a network: on a node where
//! nothing enforces them, the connections that really happen are checked against this.
//!
//! Only the opening of a connection matters; answers are always allowed. A connection is seen as policies see it, after
//! a Service's address was replaced by a pod's.

mod observed;
mod peer;
mod port;
mod selector;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// The protocols that policies can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A named port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// For example `http`.
    pub name: String,
    /// TCP unless the pod names another.
    pub protocol: Protocol,
    /// The port of the container.
    pub number: u16,
}

/// What policies use of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// The namespace that it is in.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses, one of each family.
    pub addresses: Vec<IpAddr>,
    /// The ports of its containers that have a name.
    pub ports: Vec<NamedPort>,
    /// The node that runs it.
    pub node: String,
}

/// Everything that decides whether a connection is allowed.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The policies.
    pub policies: Vec<NetworkPolicy>,
    /// The labels of each namespace.
    pub namespaces: BTreeMap<String, Labels>,
    /// The pods.
    pub pods: Vec<Pod>,
    /// The addresses of each node, including those in its pod network.
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
}

/// A connection, from the side that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The address that opened it.
    pub from: IpAddr,
    /// The address that was called.
    pub to: IpAddr,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port that was called.
    pub port: u16,
}

/// The direction of a connection, as seen from a pod that policies select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Out of the pod that opens the connection.
    Egress,
    /// Into the pod that is called.
    Ingress,
}

/// The policies of one side, none of which allows the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The caller's side is egress, the called side ingress.
    pub direction: Direction,
    /// Its policies, as `namespace/name`.
    pub policies: Vec<String>,
}

/// One end of a connection.
struct End<'a> {
    address: IpAddr,
    pod: Option<&'a Pod>,
}

/// A rule of either direction.
struct Rule<'a> {
    peers: &'a [NetworkPolicyPeer],
    ports: &'a [NetworkPolicyPort],
}

impl Network {
    /// The sides that refuse the connection; none if it is allowed.
    ///
    /// # Panics
    /// If the API server would refuse one of the policies.
    #[must_use]
    pub fn refusals(&self, connection: &Connection) -> Vec<Refusal> {
        let (from, to) = (self.end(connection.from), self.end(connection.to));
        // A pod can always reach itself.
        if from.pod.is_some_and(|pod| to.pod.is_some_and(|other| std::ptr::eq(pod, other))) {
            return vec![];
        }
        let called = to.pod;
        let egress = self.refusal(Direction::Egress, &from, &to, called, connection);
        let ingress = self.refusal(Direction::Ingress, &to, &from, called, connection);
        egress.into_iter().chain(ingress).collect()
    }

    fn end(&self, address: IpAddr) -> End<'_> {
        End { address, pod: self.pods.iter().find(|pod| pod.addresses.contains(&address)) }
    }

    /// Policies of one direction add up: one that allows the connection is enough, and without any all are allowed.
    fn refusal(
        &self,
        direction: Direction,
        subject: &End<'_>,
        other: &End<'_>,
        called: Option<&Pod>,
        connection: &Connection,
    ) -> Option<Refusal> {
        let pod = subject.pod?;
        if direction == Direction::Ingress && self.is_node_of(pod, other.address) {
            return None;
        }
        let selecting: Vec<&NetworkPolicy> = self.policies.iter().filter(|p| selects(p, direction, pod)).collect();
        let lets_through = |policy: &&NetworkPolicy| {
            rules(policy, direction).iter().any(|rule| {
                let is_peer =
                    |peer: &NetworkPolicyPeer| peer::matches(peer, namespace(policy), other, &self.namespaces);
                let is_port = |port: &NetworkPolicyPort| port::matches(port, called, connection);
                (rule.peers.is_empty() || rule.peers.iter().any(is_peer))
                    && (rule.ports.is_empty() || rule.ports.iter().any(is_port))
            })
        };
        let refused = !selecting.is_empty() && !selecting.iter().any(lets_through);
        refused.then(|| Refusal { direction, policies: selecting.into_iter().map(title).collect() })
    }

    /// The kubelet's probes come from there, and no policy blocks them. The API's documentation says the same of egress
    /// to the node; some networks refuse it nevertheless, so here a policy has to allow it.
    fn is_node_of(&self, pod: &Pod, address: IpAddr) -> bool {
        self.nodes.get(&pod.node).is_some_and(|addresses| addresses.contains(&address))
    }
}

fn selects(policy: &NetworkPolicy, direction: Direction, pod: &Pod) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let is_of_type = match (&spec.policy_types, direction) {
        (Some(types), Direction::Egress) if !types.is_empty() => types.iter().any(|name| name == "Egress"),
        (Some(types), Direction::Ingress) if !types.is_empty() => types.iter().any(|name| name == "Ingress"),
        (_, Direction::Egress) => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
        (_, Direction::Ingress) => true,
    };
    let is_selected = spec.pod_selector.as_ref().is_none_or(|selector| selector::matches(selector, &pod.labels));
    is_of_type && is_selected && namespace(policy) == pod.namespace
}

fn rules(policy: &NetworkPolicy, direction: Direction) -> Vec<Rule<'_>> {
    let Some(spec) = &policy.spec else { return vec![] };
    let (egress, ingress) = (spec.egress.as_deref().unwrap_or_default(), spec.ingress.as_deref().unwrap_or_default());
    match direction {
        Direction::Egress => egress.iter().map(|rule| Rule::new(&rule.to, &rule.ports)).collect(),
        Direction::Ingress => ingress.iter().map(|rule| Rule::new(&rule.from, &rule.ports)).collect(),
    }
}

impl<'a> Rule<'a> {
    fn new(peers: &'a Option<Vec<NetworkPolicyPeer>>, ports: &'a Option<Vec<NetworkPolicyPort>>) -> Self {
        Self { peers: peers.as_deref().unwrap_or_default(), ports: ports.as_deref().unwrap_or_default() }
    }
}

fn namespace(policy: &NetworkPolicy) -> &str {
    policy.metadata.namespace.as_deref().unwrap_or("default")
}

fn title(policy: &NetworkPolicy) -> String {
    format!("{}/{}", namespace(policy), policy.metadata.name.as_deref().unwrap_or_default())
}
