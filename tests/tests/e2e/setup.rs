//! What the tests on the cluster have in common: the operator, models, a brain; each is installed once.

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use tests::{
    checkout,
    cluster::{Cluster, deploy},
    http,
    mcp::Mcp,
    policies::Policies,
    policy::{self, merged},
    waiting,
};
use tokio::sync::OnceCell;

/// How long pods may take to start, or to answer their last calls and end. It is longer after an outage of the API
/// server: its clients come back one after the other.
pub const PODS_LIMIT: Duration = Duration::from_secs(200);

/// The brain's token; only for this run's cluster.
pub const BRAIN_TOKEN: &str = "brain-token-of-a-test";
/// The brain's port on every node.
pub const BRAIN_NODE_PORT: u16 = 30330;
/// LiteLLM's port on every node.
pub const LITELLM_NODE_PORT: u16 = 30340;
/// A ConfigMap that marks a cluster as one that the tests may change.
const MARK: &str = "routing-e2e";
/// Names of images that the run has loaded: the second is the first under another tag.
pub const IMAGES: [&str; 2] = [concat!("routing:", env!("CARGO_PKG_VERSION")), "routing:next"];

/// The cluster of this run.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let home = std::env::temp_dir().join("routing-e2e");
        std::fs::create_dir_all(&home).expect("a folder");
        let cluster = Cluster::new(required_from_make("E2E_KUBECONFIG"), home);
        if !is_own_cluster() {
            refuse_one_in_use(&cluster);
        }
        cluster
    })
}

/// Tests recreate some namespaces, and delete all that is in them.
fn refuse_one_in_use(cluster: &Cluster) {
    let mark = ["--namespace", "default", "get", "configmap", MARK, "--ignore-not-found", "--output=name"];
    if !cluster.kubectl(&mark).expect_worked().is_empty() {
        return;
    }
    for namespace in ["routing", "supervisor", "models"] {
        let found = cluster.kubectl(&["get", "namespace", namespace, "--ignore-not-found", "--output=name"]);
        assert!(
            found.expect_worked().is_empty(),
            "this cluster has a namespace {namespace}, which the tests would delete: use a disposable cluster"
        );
    }
    cluster.kubectl(&["--namespace", "default", "create", "configmap", MARK]).expect_worked();
}

/// A variable that `make e2e` sets.
pub fn required_from_make(variable: &str) -> PathBuf {
    let given = std::env::var(variable).ok().filter(|value| !value.is_empty());
    given.unwrap_or_else(|| panic!("{variable} is not set: run `make e2e`, which prepares what this test needs")).into()
}

/// Whether the cluster is the one that `make cluster` starts: its parts can be stopped, and its node is this machine.
pub fn is_own_cluster() -> bool {
    std::env::var("E2E_OWN_CLUSTER").is_ok_and(|value| value == "1")
}

/// `full` in `make e2e-full`, otherwise `short`.
pub fn count<N>(short: N, full: N) -> N {
    if std::env::var("E2E_FULL").is_ok_and(|value| value == "1") { full } else { short }
}

/// Stops, pauses or starts a part of the cluster.
pub fn part(action: &str, name: &str) {
    script("part.sh", &[action, name]);
}

/// Runs a script of `tests/cluster`, and returns what it printed.
pub fn script(name: &str, arguments: &[&str]) -> String {
    let output = script_output(name, arguments);
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same for what must go on when it fails.
pub fn script_output(name: &str, arguments: &[&str]) -> Output {
    let script = checkout().join("tests/cluster").join(name);
    Command::new(script).args(arguments).output().expect("the script runs")
}

/// Whether the operator is the one of `deploy/operator`, as applied by kubectl.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The operator, installed as the docs say.
pub async fn operator() {
    if !INSTALLED.load(Ordering::Relaxed) {
        cluster().kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
        rolled_out("routing-system", "routing-operator");
        INSTALLED.store(true, Ordering::Relaxed);
    }
}

/// Notes that something else installs, changes or removes the operator: the next test that needs the one of the docs
/// installs it again.
pub fn operator_is_anothers() {
    INSTALLED.store(false, Ordering::Relaxed);
}

/// A stand-in for language models and a real LiteLLM in front of it, in the namespace `models`.
pub async fn models() {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            let folder = checkout().join("tests/tests/e2e/models");
            cluster().kubectl(&["apply", "-k", &folder.display().to_string()]).expect_worked();
            for name in ["stand-in", "litellm"] {
                rolled_out("models", name);
            }
        })
        .await;
}

/// The brain, installed as the docs say.
pub async fn brain() {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            cluster().kubectl(&["apply", "-k", &deploy("brain")]).expect_worked();
            secret("supervisor", "brain-token", &[("BRAIN_TOKEN", BRAIN_TOKEN)]);
            rolled_out("supervisor", "brain");
        })
        .await;
}

/// Waits until a Deployment is rolled out.
pub fn rolled_out(namespace: &str, name: &str) {
    let (deployment, timeout) = (format!("deployment/{name}"), format!("--timeout={}s", PODS_LIMIT.as_secs()));
    let status = cluster().kubectl(&["--namespace", namespace, "rollout", "status", &deployment, &timeout]);
    if !status.worked {
        let pods = cluster().kubectl(&["--namespace", namespace, "describe", "pods"]).out;
        panic!("{name} in {namespace}: {}{}\n{pods}", status.out, status.err);
    }
}

fn scale(namespace: &str, name: &str, replicas: u32) {
    let count = format!("--replicas={replicas}");
    cluster().kubectl(&["--namespace", namespace, "scale", "deployment", name, &count]).expect_worked();
}

/// Waits until a scaled Deployment has exactly this many pods, terminating ones counted.
async fn settled(namespace: &str, name: &str, replicas: u32) {
    rolled_out(namespace, name);
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(cluster().client().await, namespace);
    let labels = [format!("app={name}"), format!("app.kubernetes.io/name={name}")];
    waiting::until_true_within(PODS_LIMIT, "the number of pods to be right", || async {
        let mut found = 0;
        for label in &labels {
            found += pods.list(&ListParams::default().labels(label)).await.expect("a list").items.len();
        }
        found == replicas as usize
    })
    .await;
}

/// A Deployment that is scaled to zero until this is dropped, also if the test fails.
pub struct Away {
    namespace: &'static str,
    name: &'static str,
}

impl Away {
    /// Scales it to zero, and waits until its pods are gone.
    pub async fn take(namespace: &'static str, name: &'static str) -> Self {
        let away = Self::leave(namespace, name);
        settled(namespace, name, 0).await;
        away
    }

    /// Scales it to zero, and does not wait: it answers until its pod has ended.
    pub fn leave(namespace: &'static str, name: &'static str) -> Self {
        scale(namespace, name, 0);
        Self { namespace, name }
    }

    /// Scales it to one and waits until it runs.
    pub async fn back(self) {
        scale(self.namespace, self.name, 1);
        settled(self.namespace, self.name, 1).await;
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let Self { namespace, name } = self;
        let _ = cluster().kubectl(&["--namespace", namespace, "scale", "deployment", name, "--replicas=1"]);
    }
}

/// Creates a Secret, or updates it.
pub fn secret(namespace: &str, name: &str, values: &[(&str, &str)]) {
    let data: serde_json::Map<String, Value> =
        values.iter().map(|(key, value)| ((*key).to_string(), Value::from(*value))).collect();
    let document = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    cluster().apply(namespace, &document.to_string());
}

/// An empty namespace; what an earlier run left in it is deleted first.
pub async fn namespace(name: &str) -> Policies {
    remove_namespace(name);
    Policies::in_new_namespace(cluster(), name).await
}

/// An empty namespace, with operator and models installed.
pub async fn prepared(name: &str) -> Policies {
    operator().await;
    models().await;
    namespace(name).await
}

/// Reports an outcome of a skill through the brain's port on a node.
pub async fn report(skill: &str, status: &str) {
    let brain = Mcp::new(&format!("http://{}:{BRAIN_NODE_PORT}/mcp", node_address().await)).token(BRAIN_TOKEN);
    let report = json!({"session_id": "s", "skill": skill, "phase": "outcome", "final_status": status,
        "message": "m", "project_root": ""});
    assert!(!brain.result("session_log", report).await.is_error());
}

/// Deletes a namespace and waits until it is gone. Its pods first: the namespace controller would check them again
/// only after half of their grace period, which is minutes after they ended.
pub fn remove_namespace(name: &str) {
    let_go(name);
    let pods = ["--namespace", name, "wait", "--for=delete", "pods", "--all", "--timeout=400s"];
    let waited = cluster().kubectl(&pods);
    assert!(waited.worked || waited.err.contains("no matching resources"), "{}", waited.err);
    cluster()
        .kubectl(&["delete", "namespace", name, "--ignore-not-found", "--wait=true", "--timeout=400s"])
        .expect_worked();
}

/// Deletes what runs in a namespace that a test is done with, without waiting. Each kind comes after the one that would
/// create it again. Pods have a second: they would serve for ten more, and nobody calls them.
pub fn let_go(name: &str) {
    let kinds = "routingpolicies,deployments,replicasets,pods";
    let all = ["--namespace", name, "delete", kinds, "--all", "--grace-period=1", "--wait=false"];
    let deleted = cluster().kubectl(&all);
    // Before the operator is installed there is no such kind, and nothing of it.
    assert!(deleted.worked || deleted.err.contains("doesn't have a resource type"), "{}", deleted.err);
}

/// A spec whose models are the stand-in's, changed as by [`merged`].
pub fn spec(changes: Value) -> Value {
    merged(policy::base("http://stand-in.models:4000", "local", "claude"), changes)
}

/// The brain, for a spec: with its token, which is in a Secret of this name.
pub fn brain_with_token_of(secret: &str) -> Value {
    json!({"url": "http://ingestion.supervisor:3300", "tokenSecretRef": {"name": secret, "key": "TOKEN"}})
}

/// A skill for a spec, with nothing but its name and a stage.
pub fn skill(name: &str, system: Value) -> Value {
    json!({"name": name, "description": "d", "inputSchema": {"type": "object"},
        "stages": [{"system": system, "user": "u"}]})
}

/// The address of a policy on a node, once it is ready and its port is open: kube-proxy opens it up to a second after
/// the pods are ready.
pub async fn served(policies: &Policies, name: &str) -> String {
    let status = policies.wait_until_ready(name).await;
    let url = status.endpoint.and_then(|endpoint| endpoint.url).expect("an address");
    port_open(&url).await;
    url
}

/// Waits until `/healthz` answers next to an address that ends in `/mcp`.
pub async fn port_open(url: &str) {
    let health = url.replace("/mcp", "/healthz");
    waiting::until(&format!("{health} to answer"), || async {
        http().get(&health).send().await.ok().filter(|answer| answer.status().is_success())
    })
    .await;
}

/// The address of a node, by which the tests reach its ports.
pub async fn node_address() -> String {
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(cluster().client().await);
    let nodes = nodes.list(&ListParams::default()).await.expect("nodes");
    let status = nodes.items.into_iter().next().and_then(|node| node.status).expect("a node");
    let addresses = status.addresses.unwrap_or_default();
    addresses.into_iter().find(|a| a.type_ == "InternalIP").expect("an address").address
}
