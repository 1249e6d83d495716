//! Where callers reach the data plane.

use std::net::SocketAddr;

use crds::policy::{Endpoint, ServiceType};
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::Observed;
use crate::controller::child::{ChildKey, ChildKind, load_balancer_service, node_port_service};

/// The addresses that the cluster has assigned so far.
pub(super) fn endpoint(observed: &Observed<'_>) -> Endpoint {
    let (name, spec) = (observed.policy.name_any(), &observed.policy.spec.service);
    let namespace = observed.policy.namespace().unwrap_or_default();
    let service = format!("{name}.{namespace}.svc:{}", spec.port);
    let node_port = service_object(observed, &node_port_service(&name)).and_then(node_port);
    let host = match spec.kind {
        ServiceType::ClusterIP => Some(service.clone()),
        ServiceType::NodePort => node_port.and_then(|port| node_address(observed, port)),
        ServiceType::LoadBalancer => service_object(observed, &load_balancer_service(&name))
            .and_then(balancer_host)
            .map(|host| format!("{host}:{}", spec.port)),
    };
    Endpoint { url: host.map(|host| format!("http://{host}/mcp")), service, node_port }
}

fn service_object<'a>(observed: &'a Observed<'_>, name: &str) -> Option<&'a DynamicObject> {
    observed.applied.objects.get(&ChildKey::new(ChildKind::Service, name))
}

fn node_port(service: &DynamicObject) -> Option<u16> {
    service.data.pointer("/spec/ports/0/nodePort").and_then(Value::as_u64)?.try_into().ok()
}

/// Address of a node that runs a pod. The one that the status already shows stays while its node runs a pod, so that it
/// does not change without need.
fn node_address(observed: &Observed<'_>, port: u16) -> Option<String> {
    let mut addresses: Vec<String> =
        observed.pods.iter().filter_map(|pod| pod.host_ip).map(|ip| SocketAddr::new(ip, port).to_string()).collect();
    addresses.sort();
    let shown = observed.policy.status.as_ref().and_then(|status| status.endpoint.as_ref()?.url.as_deref());
    let shown = addresses.iter().find(|address| shown == Some(format!("http://{address}/mcp").as_str()));
    shown.or(addresses.first()).cloned()
}

fn balancer_host(service: &DynamicObject) -> Option<String> {
    let ingress = service.data.pointer("/status/loadBalancer/ingress/0")?;
    let host = ingress.get("hostname").or_else(|| ingress.get("ip"))?.as_str()?;
    // In a URL, an IPv6 address is written in brackets.
    Some(if host.contains(':') { format!("[{host}]") } else { host.to_string() })
}
