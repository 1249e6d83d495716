//! The policy `routing` in the namespace `routing`, on port 30310: the usual installation.

use serde_json::{Value, json};
use tests::policies::Policies;

use crate::setup::{self, BRAIN_TOKEN, cluster};

/// Token of its callers.
pub const TOKEN: &str = "token-of-callers-in-a-test";
/// Its port on every node.
pub const NODE_PORT: u16 = 30310;
/// Its namespace and its name.
pub const NAME: &str = "routing";

/// Its spec, with a real LiteLLM and the brain.
pub fn spec() -> Value {
    let secret = |key: &str| json!({"name": "routing-secrets", "key": key});
    json!({
        "upstream": {"url": "http://litellm.models:4000", "apiKeySecretRef": secret("LITELLM_API_KEY")},
        "models": {"local": {"name": "qwen35"}, "claude": {"name": "claude-sonnet-4-6"}},
        "brain": {"url": "http://ingestion.supervisor:3300", "tokenSecretRef": secret("BRAIN_TOKEN")},
        "evidence": {"ttl": "5s"},
        "access": {"tokens": [{"name": "everybody", "secretRef": secret("ROUTING_MCP_TOKEN")}]},
        "service": {"nodePort": NODE_PORT},
    })
}

/// Installs all that it needs, applies it, and waits as the docs say until it is ready.
pub async fn ready() -> Policies {
    setup::operator().await;
    setup::models().await;
    setup::brain().await;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    cluster().apply("default", &namespace.to_string());
    secrets();
    let policies = Policies::in_namespace(cluster(), NAME).await;
    policies.apply(NAME, &spec());
    policies.kubectl(&["wait", "--for=condition=Ready", "rp/routing", "--timeout=180s"]);
    setup::port_open(&url().await).await;
    policies
}

/// The Secret of the namespace.
pub fn secrets() {
    let values =
        [("LITELLM_API_KEY", "sk-test-master-key"), ("ROUTING_MCP_TOKEN", TOKEN), ("BRAIN_TOKEN", BRAIN_TOKEN)];
    setup::secret(NAME, "routing-secrets", &values);
}

/// Its address on a node.
pub async fn url() -> String {
    format!("http://{}:{NODE_PORT}/mcp", setup::node_address().await)
}
