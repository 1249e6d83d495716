//! The connections that really happen, checked against the NetworkPolicies, which nothing enforces on the node of the
//! tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    net::IpAddr,
    process::{Child, Command, Stdio},
};

use k8s_openapi::api::{
    core::v1::{Namespace, Node, Pod},
    networking::v1::NetworkPolicy,
};
use kube::{Api, ResourceExt, api::ListParams};
use tests::{
    conntrack,
    mcp::Mcp,
    network_policy::{self, Connection, Network, Protocol},
    waiting,
};

use crate::{
    routing_policy::{self, NAME, TOKEN},
    setup::{self, BRAIN_NODE_PORT, cluster, is_own_cluster, node_address, rolled_out},
};

/// The namespaces of the workloads whose policies are checked.
const WORKLOADS: [&str; 3] = ["routing-system", NAME, "supervisor"];

/// Ports of data plane and brain that are called from anywhere.
const CALLERS: u16 = 3210;
const REPORTS: u16 = 3300;
/// A machine that is not a node: an address of the range for documentation.
const OTHER_MACHINE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// Records every new connection until it is dropped.
struct Recorder {
    child: Child,
    file: std::path::PathBuf,
}

impl Recorder {
    fn start() -> Self {
        let file = cluster().folder().join("connections");
        let child = Command::new("conntrack")
            .args(["--event", "--event-mask", "NEW", "--output", "extended"])
            .stdin(Stdio::null())
            .stdout(File::create(&file).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("conntrack runs: apt-get install conntrack");
        Self { child, file }
    }

    fn connections(&self) -> BTreeSet<Connection> {
        let text = std::fs::read_to_string(&self.file).expect("the record");
        // The last line may not be complete yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        conntrack::parse(whole).expect("what conntrack prints").iter().map(conntrack::Tracked::connection).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The current objects that decide whether connections are allowed.
async fn network() -> Network {
    let client = cluster().client().await;
    let all = ListParams::default();
    let policies = Api::<NetworkPolicy>::all(client.clone()).list(&all).await.expect("policies").items;
    let namespaces = Api::<Namespace>::all(client.clone()).list(&all).await.expect("namespaces").items;
    let pods = Api::<Pod>::all(client.clone()).list(&all).await.expect("pods").items;
    let nodes = Api::<Node>::all(client).list(&all).await.expect("nodes").items;
    Network {
        policies,
        namespaces: namespaces.iter().map(|n| (n.name_any(), n.labels().clone())).collect::<BTreeMap<_, _>>(),
        pods: pods.iter().filter_map(network_policy::Pod::observed).collect(),
        nodes: nodes.iter().map(|node| (node.name_any(), own_addresses())).collect(),
    }
}

/// The addresses of this machine, which is the only node; the Node's status lacks the one in the pod network.
fn own_addresses() -> Vec<IpAddr> {
    let output = Command::new("ip").args(["-oneline", "address"]).output().expect("ip runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let address = |line: &str| line.split_whitespace().nth(3)?.split('/').next()?.parse().ok();
    text.lines().filter_map(address).collect()
}

/// What has an address, in words: the namespace of a pod, or `outside of pods`.
fn who(network: &Network, address: IpAddr) -> String {
    let pod = network.pods.iter().find(|pod| pod.addresses.contains(&address));
    pod.map_or_else(|| "outside of pods".into(), |pod| pod.namespace.clone())
}

#[tokio::test]
async fn every_connection_that_happens_is_allowed_by_the_policies() {
    if !is_own_cluster() {
        println!("skipped: only the connections of the cluster of `make cluster` are seen by this machine");
        return;
    }
    let policies = routing_policy::ready().await;
    let before = network().await;
    let recorder = Recorder::start();
    // All three are restarted, so that everything that they do is seen: resolving names, finding the API server.
    for (namespace, deployment) in [("routing-system", "routing-operator"), (NAME, NAME), ("supervisor", "brain")] {
        let name = format!("deployment/{deployment}");
        cluster().kubectl(&["--namespace", namespace, "rollout", "restart", &name]).expect_worked();
        rolled_out(namespace, deployment);
    }
    let url = setup::served(&policies, NAME).await;
    let brain = format!("http://{}:{BRAIN_NODE_PORT}/healthz", node_address().await);
    let mut network = network().await;
    // Also those that were replaced meanwhile; an address that was assigned again is the new pod's.
    let is_new = |address: &IpAddr| !network.pods.iter().any(|pod| pod.addresses.contains(address));
    let gone: Vec<_> = before.pods.into_iter().filter(|pod| pod.addresses.iter().all(&is_new)).collect();
    network.pods.extend(gone);
    let expected: BTreeSet<(String, String, Protocol, u16)> = [
        ("routing-system", "outside of pods", Protocol::Tcp, 6443),
        ("routing-system", NAME, Protocol::Tcp, 3211),
        (NAME, "models", Protocol::Tcp, 4000),
        (NAME, "supervisor", Protocol::Tcp, 3300),
        (NAME, "kube-system", Protocol::Udp, 53),
        ("outside of pods", NAME, Protocol::Tcp, 3210),
        ("outside of pods", NAME, Protocol::Tcp, 3211),
        ("outside of pods", "supervisor", Protocol::Tcp, 3300),
    ]
    .map(|(from, to, protocol, port)| (from.to_string(), to.to_string(), protocol, port))
    .into();
    let mut seen = BTreeSet::new();
    let all_seen = waiting::until("each kind of connection to be seen", || async {
        Mcp::new(&url).token(TOKEN).debug("call-9").await;
        let _ = tests::http().get(&brain).send().await;
        let connections = recorder.connections();
        let kinds: BTreeSet<_> =
            connections.iter().map(|c| (who(&network, c.from), who(&network, c.to), c.protocol, c.port)).collect();
        expected.is_subset(&kinds).then_some(connections)
    });
    for connection in all_seen.await {
        let (from, to) = (who(&network, connection.from), who(&network, connection.to));
        if ![&from, &to].iter().any(|end| WORKLOADS.contains(&end.as_str())) {
            continue;
        }
        let refusals = network.refusals(&connection);
        let why: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        assert!(refusals.is_empty(), "{connection} ({from} to {to}) happens and would be refused: {why:?}");
        if [CALLERS, REPORTS].contains(&connection.port) {
            // Callers and reports come from other machines, too: they need a rule, and not the node's exemption.
            let from_outside = Connection { from: OTHER_MACHINE, ..connection };
            assert_eq!(network.refusals(&from_outside), [], "{from_outside} of a caller elsewhere");
        }
        seen.insert(format!("{from} to {to}, {:?} {}", connection.protocol, connection.port));
    }
    println!("connections of operator, data plane and brain, each allowed by the NetworkPolicies:");
    seen.iter().for_each(|kind| println!("  {kind}"));
}
