//! What befalls the node: its kubelet is away, it is drained, it loses its power, its etcd forgets the past. Only in
//! `make e2e-full`, on the node of `make cluster`: it takes minutes, and every other pod goes and comes, too.

mod compaction;
mod drain;
mod kubelet;
mod power;
mod rest;

use std::time::Duration;

use crds::policy::RoutingPolicyStatus;
use serde_json::{Value, json};
use tests::{mcp::Mcp, policies::Policies};

use crate::{
    load::{Load, Plan},
    pods, setup,
};

/// Name of the policies of these tests.
const NAME: &str = "edge";
/// Pods of each of these policies.
const REPLICAS: u32 = 2;
/// A probe gives up on a call after this long, and calls again.
const CALL: Duration = Duration::from_secs(5);
/// What is installed once, so that no later test waits for it again.
const INSTALLED: [(&str, &str); 5] = [
    ("kube-system", "coredns"),
    ("routing-system", "routing-operator"),
    ("models", "stand-in"),
    ("models", "litellm"),
    ("supervisor", "brain"),
];

/// Whether something is done to the node in this run; says so if not.
fn is_done(what: &str) -> bool {
    let done = setup::is_own_cluster() && setup::count(false, true);
    if !done {
        println!("skipped: {what} only in `make e2e-full`, and only on the cluster of `make cluster`");
    }
    done
}

/// A part of the cluster that is away until this is dropped, also if the test fails.
struct PartAway(&'static str);

impl PartAway {
    /// Stops or pauses it.
    fn take(action: &str, name: &'static str) -> Self {
        setup::part(action, name);
        Self(name)
    }

    /// Starts it, or lets it go on, and waits until it is ready.
    fn back(self) {
        setup::part("start", self.0);
    }
}

impl Drop for PartAway {
    fn drop(&mut self) {
        let _ = setup::script_output("part.sh", &["start", self.0]);
    }
}

/// A policy on this port of the node; `n` is what changes in its config.
fn policy(port: u16, n: u32) -> Value {
    setup::spec(json!({
        "service": {"nodePort": port},
        "dataPlane": {"replicas": REPLICAS},
        "limits": {"inFlight": 100 + n},
    }))
}

/// Calls at a modest rate, whether answers come or not.
fn load(port: u16, token: Option<&'static str>) -> Load {
    Load::start(Plan { port, token, per_second: 20, slow_one_in: 20, slow: Duration::from_secs(5) })
}

/// Checks that all pods run the config of a status, by their own word.
async fn all_run(policies: &Policies, name: &str, status: &RoutingPolicyStatus) {
    assert_eq!(status.replicas.map(|replicas| replicas.programmed), Some(REPLICAS));
    let tunnels = pods::tunnels(policies, name).await;
    assert_eq!(tunnels.len(), REPLICAS as usize);
    for tunnel in tunnels {
        assert_eq!(tunnel.config_hash().await.as_str(), status.config_hash.as_deref());
    }
}

/// Whether a call to a port of the node is answered by a model.
async fn is_answered(port: u16) -> bool {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "debug", "arguments": {"project_root": "/tmp", "problem": "call-6"}}});
    let call = Mcp::new(&format!("http://127.0.0.1:{port}/mcp")).post().timeout(CALL).body(body.to_string());
    let Ok(answer) = call.send().await else { return false };
    let message: Value = answer.json().await.unwrap_or_default();
    message["result"]["isError"] == json!(false) && message["result"]["content"].to_string().contains("call-6")
}

/// Waits until everything that is installed once has its pods again.
fn until_all_is_up() {
    for (namespace, name) in INSTALLED {
        setup::rolled_out(namespace, name);
    }
}
