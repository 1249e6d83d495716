//! Whether NetworkPolicies let a connection through, by the words of the Kubernetes API and without a network: on a
//! node where nothing enforces them, connections that really happen are held against it.
//!
//! Only who opens a connection matters; answers come back by themselves. A connection is seen as policies see it, after
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

/// Protocols that policies know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port that a pod gives a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// The name.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// A pod, as far as policies look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Where it is.
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

/// What policies look at.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The policies.
    pub policies: Vec<NetworkPolicy>,
    /// The labels of each namespace.
    pub namespaces: BTreeMap<String, Labels>,
    /// The pods.
    pub pods: Vec<Pod>,
    /// The addresses of each node, those that it has among its pods included.
    pub nodes: BTreeMap<String, Vec<IpAddr>>,
}

/// A connection, by who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Who opened it.
    pub from: IpAddr,
    /// To whom.
    pub to: IpAddr,
    /// By which protocol.
    pub protocol: Protocol,
    /// To which port.
    pub port: u16,
}

/// Which way, as seen from a pod that policies select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Out of the pod that opens the connection.
    Egress,
    /// Into the pod that is called.
    Ingress,
}

/// The policies of one side, none of which lets a connection through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which side.
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
    /// Which sides refuse the connection; none: it is let through.
    ///
    /// # Panics
    /// A policy is one that the API server refuses.
    #[must_use]
    pub fn refusals(&self, connection: &Connection) -> Vec<Refusal> {
        let (from, to) = (self.end(connection.from), self.end(connection.to));
        // No policy keeps a pod from itself.
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

    /// Policies of one direction add up: one that lets through is enough, and without any nothing is refused.
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

    /// The kubelet asks from there, and no policy keeps it out. The API's documentation says the same of the way out;
    /// some networks refuse that all the same, so here it has to be allowed.
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
