//! How callers reach the data plane.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data_plane::key_values;

/// Port of `/mcp` and `/healthz` unless something else is asked for.
pub const DEFAULT_PORT: u16 = 3210;

/// How callers reach the data plane. A ClusterIP Service of the policy's name is always there.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.nodePort) || self.type == 'NodePort'")
    .message("needs type: NodePort; leave it out, or change the type")
    .field_path(".nodePort"))]
pub struct Service {
    /// NodePort: on a port of every node. LoadBalancer: by the cluster's load balancer. ClusterIP: inside the cluster only.
    #[serde(default, rename = "type")]
    pub kind: ServiceType,

    /// Port of the Services, and of `/mcp` and `/healthz` where the policy is run without a cluster.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub port: u16,

    /// The port on every node. Absent: the cluster allocates one, shown in status.endpoint.nodePort. Which ports are
    /// allowed is the cluster's choice, usually 30000 to 32767.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub node_port: Option<u16>,

    /// Annotations of the exposed Service, for example those that a load balancer reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "key_values")]
    pub annotations: BTreeMap<String, String>,
}

fn default_port() -> u16 {
    DEFAULT_PORT
}

/// How far the data plane can be reached.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceType {
    /// On a port of every node.
    #[default]
    NodePort,
    /// Inside the cluster only.
    ClusterIP,
    /// By the cluster's load balancer.
    LoadBalancer,
}

impl Default for Service {
    fn default() -> Self {
        Self { kind: ServiceType::default(), port: DEFAULT_PORT, node_port: None, annotations: BTreeMap::new() }
    }
}
