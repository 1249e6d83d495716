//! Whether a connection's port matches a rule.

use k8s_openapi::{api::networking::v1::NetworkPolicyPort, apimachinery::pkg::util::intstr::IntOrString};

use super::{Connection, Pod, Protocol};

/// In rules of both directions, a name means the port with that name in the called pod.
pub(super) fn matches(port: &NetworkPolicyPort, called: Option<&Pod>, connection: &Connection) -> bool {
    let protocol =
        port.protocol.as_deref().map_or(Protocol::Tcp, |name| name.parse().expect("the API server checks it"));
    if protocol != connection.protocol {
        return false;
    }
    let wanted = i32::from(connection.port);
    match &port.port {
        None => true,
        Some(IntOrString::Int(first)) => (*first..=port.end_port.unwrap_or(*first)).contains(&wanted),
        Some(IntOrString::String(name)) => called.is_some_and(|pod| {
            pod.ports.iter().any(|p| p.name == *name && p.protocol == protocol && p.number == connection.port)
        }),
    }
}
