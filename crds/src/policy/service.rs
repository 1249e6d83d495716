//! How callers reach the data plane.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data_plane::key_values;

/// Default port of `/mcp` and `/healthz`.
pub const DEFAULT_PORT: u16 = 3210;

/// How callers reach the data plane. A ClusterIP Service with the policy's name exists in any case.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.nodePort) || self.type == 'NodePort'")
    .message("needs type: NodePort; remove it, or change the type")
    .field_path(".nodePort"))]
pub struct Service {
    /// How the data plane is reached. NodePort: on a port of every node. LoadBalancer: through the cluster's load
    /// balancer. ClusterIP: only inside the cluster. Default: NodePort.
    #[serde(default, rename = "type")]
    pub kind: ServiceType,

    /// Port of the policy's Services; for `routing serve` outside a cluster, of `/mcp` and `/healthz`. Default: 3210.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub port: u16,

    /// The port on every node, with `type: NodePort`. The cluster decides which ports are allowed, usually 30000 to
    /// 32767. If absent, the cluster allocates a port and status.endpoint.nodePort shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub node_port: Option<u16>,

    /// Annotations of the NodePort or LoadBalancer Service, for example those that a load balancer reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    pub annotations: BTreeMap<String, String>,
}

fn default_port() -> u16 {
    DEFAULT_PORT
}

/// How the data plane is reached.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// On a port of every node.
    #[default]
    NodePort,
    /// Only inside the cluster.
    ClusterIP,
    /// Through the cluster's load balancer.
    LoadBalancer,
}

impl Default for Service {
    fn default() -> Self {
        Self { kind: ServiceType::default(), port: DEFAULT_PORT, node_port: None, annotations: BTreeMap::new() }
    }
}
