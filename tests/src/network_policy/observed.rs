//! Conversion from the objects of a cluster, from text and into text.

use std::{
    fmt::{self, Display, Formatter},
    net::IpAddr,
    str::FromStr,
};

use k8s_openapi::api::core::v1 as core;

use super::{Connection, Direction, NamedPort, Pod, Protocol, Refusal};

impl Pod {
    /// A pod of the cluster; `None` if policies do not apply to it: it has no address yet, has ended, or uses its
    /// node's network.
    #[must_use]
    pub fn observed(pod: &core::Pod) -> Option<Self> {
        let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
        let has_ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let addresses: Vec<_> = status.pod_ips.iter().flatten().filter_map(|ip| ip.ip.parse().ok()).collect();
        if has_ended || addresses.is_empty() || spec.host_network == Some(true) {
            return None;
        }
        Some(Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            addresses,
            ports: spec
                .containers
                .iter()
                .flat_map(|container| container.ports.iter().flatten())
                .filter_map(named)
                .collect(),
            node: spec.node_name.clone().unwrap_or_default(),
        })
    }
}

fn named(port: &core::ContainerPort) -> Option<NamedPort> {
    Some(NamedPort {
        name: port.name.clone()?,
        protocol: port.protocol.as_deref().unwrap_or("TCP").parse().ok()?,
        number: port.container_port.try_into().ok()?,
    })
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "TCP" => Ok(Self::Tcp),
            "UDP" => Ok(Self::Udp),
            "SCTP" => Ok(Self::Sctp),
            _ => Err(format!("{text} is not a protocol of policies: TCP, UDP, SCTP")),
        }
    }
}

impl Connection {
    /// Parses `web → db TCP 5432`; `address` returns the address of a name.
    ///
    /// # Panics
    /// If it has another form.
    #[must_use]
    pub fn read(text: &str, address: impl Fn(&str) -> IpAddr) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [from, "→", to, protocol, port] = words[..] else { panic!("not like web → db TCP 5432: {text}") };
        Self {
            from: address(from),
            to: address(to),
            protocol: protocol.parse().expect("a protocol"),
            port: port.parse().expect("a port"),
        }
    }
}

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { from, to, protocol, port } = self;
        write!(f, "{from} → {to} {} {port}", format!("{protocol:?}").to_uppercase())
    }
}

impl Display for Direction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.direction, self.policies.join(", "))
    }
}
