//! The NetworkPolicies of operator, data plane and brain allow only what is needed, as the Kubernetes API defines them:
//! those of the manifests as kubectl builds them, that of the data plane as the operator does.

use std::net::IpAddr;

use crds::RoutingPolicy;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use operator::controller::{build, dereference::Texts, labels, validate::validate};
use serde_json::Value;
use tests::{
    checkout,
    manifests::built,
    network_policy::{Connection, Labels, Network, Pod},
};

/// The operator's namespace.
const OPERATORS: &str = "routing-system";

/// Label of the namespaces that may read metrics.
const MONITORING: &str = "routing.hyperguild.io/monitoring";
/// Name, namespace, address. The first four have policies, and the two brains beside policies.
const PODS: [(&str, &str, &str); 15] = [
    ("data-plane", "routing", "10.0.0.1"),
    ("neighbour", "routing", "10.0.0.2"),
    ("operator", OPERATORS, "10.0.0.3"),
    ("brain", "supervisor", "10.0.0.4"),
    ("dns", "kube-system", "10.0.0.5"),
    ("gateway", "models", "10.0.0.6"),
    ("database", "models", "10.0.0.7"),
    ("prometheus", "monitoring", "10.0.0.8"),
    // With the operator's labels, in a namespace of its own.
    ("impostor", "elsewhere", "10.0.0.9"),
    // In the operator's namespace, without its labels.
    ("bystander", OPERATORS, "10.0.0.10"),
    // Beside a policy: on SQLite and closed, on Postgres with a port on every node.
    ("own-brain", "routing", "10.0.0.11"),
    ("open-brain", "routing", "10.0.0.12"),
    ("postgres", "models", "10.0.0.13"),
    ("job", "routing", "10.0.0.14"),
    // In a namespace that is labelled for monitoring.
    ("scraper", "observability", "10.0.0.15"),
];
const ADDRESSES: [(&str, &str); 4] =
    [("anybody", "192.0.2.7"), ("metadata", "169.254.169.254"), ("api-server", "10.1.0.9"), ("node", "10.1.0.1")];

/// Connections that must work: why | which.
const WANTED: &str = "
MCP clients, through the NodePort | anybody → data-plane TCP 3210
MCP clients in the cluster | bystander → data-plane TCP 3210
the kubelet's probes | node → data-plane TCP 3210
the kubelet's probes | node → data-plane TCP 3211
which policy a pod runs | operator → data-plane TCP 3211
the same of every policy's pods | operator → neighbour TCP 3211
DNS names of models and brain | data-plane → dns UDP 53
long answers of DNS | data-plane → dns TCP 53
model calls to a gateway in the cluster | data-plane → gateway TCP 4000
model calls to one elsewhere | data-plane → anybody TCP 4000
pass rates and decisions | data-plane → brain TCP 3300
outcomes, through the NodePort | anybody → brain TCP 3300
outcomes from within the cluster | bystander → brain TCP 3300
the kubelet's probes | node → brain TCP 3300
pass rates and decisions | data-plane → own-brain TCP 3300
the same on Postgres | data-plane → open-brain TCP 3300
jobs of the namespace report outcomes | job → own-brain TCP 3300
the kubelet's probes | node → own-brain TCP 3300
outcomes, through the NodePort | anybody → open-brain TCP 3300
outcomes from within the cluster | bystander → open-brain TCP 3300
the name of the database | open-brain → dns UDP 53
long answers of DNS | open-brain → dns TCP 53
the database | open-brain → postgres TCP 5432
the policies, on the API server's own port | operator → api-server TCP 6443
the same, where networks see its Service | operator → api-server TCP 443
the name of the API server | operator → dns UDP 53
long answers of DNS | operator → dns TCP 53
the kubelet's probes | node → operator TCP 3211
metrics, from a namespace that is labelled for it | scraper → data-plane TCP 3211
the same of the operator | scraper → operator TCP 3211
the same of a brain, which is open to them on its one port | scraper → own-brain TCP 3300
the same of the other one | scraper → brain TCP 3300
";

/// Connections that nothing needs: why they are bad | which | the sides that refuse.
const UNWANTED: &str = "
the admin port has no token | anybody → data-plane TCP 3211 | ingress
the same for pods of a namespace without the label | prometheus → data-plane TCP 3211 | ingress
the operator's labels in another namespace | impostor → data-plane TCP 3211 | ingress
the operator's namespace without its labels | bystander → data-plane TCP 3211 | ingress
data planes need nothing of each other | neighbour → data-plane TCP 3211 | egress ingress
a port where nothing listens | anybody → data-plane TCP 8080 | ingress
MCP is TCP | anybody → data-plane UDP 3210 | ingress
it faces the network and needs nothing of the API server | data-plane → api-server TCP 6443 | egress
the same | data-plane → api-server TCP 443 | egress
the kubelet | data-plane → node TCP 10250 | egress
a cloud's credentials | data-plane → metadata TCP 80 | egress
next to the gateway | data-plane → database TCP 5432 | egress
DNS over TLS, past the cluster's DNS | data-plane → anybody TCP 853 | egress
not the brain's port | data-plane → brain TCP 22 | egress ingress
to the operator | data-plane → operator TCP 3211 | egress ingress
mail, and the like | data-plane → anybody TCP 25 | egress
it only answers: DNS | brain → dns UDP 53 | egress
the API server | brain → api-server TCP 6443 | egress
the data plane | brain → data-plane TCP 3210 | egress
the gateway | brain → gateway TCP 4000 | egress
anybody | brain → anybody TCP 443 | egress
a cloud's credentials | brain → metadata TCP 80 | egress
not the brain's port | anybody → brain TCP 3211 | ingress
the brain is TCP | bystander → brain UDP 3300 | ingress
only its namespace, without a port on the nodes | anybody → own-brain TCP 3300 | ingress
a namespace without the label for monitoring | prometheus → own-brain TCP 3300 | ingress
the same for pods | bystander → own-brain TCP 3300 | ingress
not the brain's port | job → own-brain TCP 3211 | ingress
it only answers: DNS | own-brain → dns UDP 53 | egress
a database it does not have | own-brain → postgres TCP 5432 | egress
anybody | own-brain → anybody TCP 443 | egress
the API server | open-brain → api-server TCP 6443 | egress
the gateway | open-brain → gateway TCP 4000 | egress
a cloud's credentials | open-brain → metadata TCP 80 | egress
the data plane's admin port | open-brain → data-plane TCP 3211 | egress ingress
the operator reports no outcomes | operator → brain TCP 3300 | egress
nor does it make calls | operator → data-plane TCP 3210 | egress
nor does it use models | operator → gateway TCP 4000 | egress
a cloud's credentials | operator → metadata TCP 80 | egress
the admin port of a pod that is not a data plane | operator → database TCP 3211 | egress
the same outside | operator → anybody TCP 3211 | egress
the operator has no callers | anybody → operator TCP 3211 | ingress
pods neither | prometheus → operator TCP 3211 | ingress
neighbours neither | bystander → operator TCP 3211 | ingress
";

fn policy_file(name: &str) -> RoutingPolicy {
    let text = std::fs::read_to_string(checkout().join("deploy/samples").join(name)).expect("the sample");
    serde_saphyr::from_str(&text).expect("a policy")
}

fn data_plane_policy(policy: &RoutingPolicy) -> NetworkPolicy {
    let valid = validate(policy, &[], &Texts::new(), &[]).expect("it is valid");
    build::network_policy::network_policy(policy, &[&valid.table], OPERATORS)
}

/// The policy of a brain that the operator runs, and how: closed on SQLite, open on Postgres.
fn with_brain(name: &str, more: &str) -> RoutingPolicy {
    let mut policy = policy_file("minimal.yaml");
    policy.metadata.name = Some(name.into());
    let brain = format!("{{managed: {{tokenSecretRef: {{name: s, key: K}}, {more}}}}}");
    policy.spec.brain = Some(serde_saphyr::from_str(&brain).expect("a brain"));
    policy
}

fn brain_policy(policy: &RoutingPolicy) -> NetworkPolicy {
    let managed = build::brain::managed(policy).expect("it is managed");
    build::brain::network_policy::network_policy(policy, "a-brain", managed)
}

/// The NetworkPolicy and the labels of the pods of a kustomization with one Deployment.
fn manifest(folder: &str, deployment: &str) -> (NetworkPolicy, Labels) {
    let objects = built(folder);
    let read = |value: &Value| serde_json::from_value(value.clone());
    let labels = &objects[&format!("Deployment {deployment}")]["spec"]["template"]["metadata"]["labels"];
    let policy = read(&objects[&format!("NetworkPolicy {deployment}")]).expect("a NetworkPolicy");
    (policy, serde_json::from_value(labels.clone()).expect("labels"))
}

fn network(operator_folder: &str) -> Network {
    let (homelab, minimal) = (policy_file("homelab.yaml"), policy_file("minimal.yaml"));
    let (operator_policy, operator_labels) = manifest(operator_folder, "routing-operator");
    let (brain_manifest, brain_labels) = manifest("brain", "brain");
    let own = with_brain("own", "");
    let open = with_brain("open", "nodePort: 30330, databaseURLSecretRef: {name: d, key: U}");
    let labels = |name: &str| match name {
        "own-brain" => labels::of_brain("own"),
        "open-brain" => labels::of_brain("open"),
        "data-plane" => labels::of_pod(&homelab),
        "neighbour" => labels::of_pod(&minimal),
        "operator" | "impostor" => operator_labels.clone(),
        "brain" => brain_labels.clone(),
        other => [("app".into(), other.into())].into(),
    };
    let pods = PODS.map(|(name, namespace, address)| Pod {
        namespace: namespace.into(),
        name: name.into(),
        labels: labels(name),
        addresses: vec![address.parse().expect("an address")],
        ports: vec![],
        node: "node".into(),
    });
    Network {
        policies: vec![
            data_plane_policy(&homelab),
            data_plane_policy(&minimal),
            operator_policy,
            brain_manifest,
            brain_policy(&own),
            brain_policy(&open),
        ],
        // The API server gives every namespace this label.
        namespaces: PODS
            .map(|(_, name, _)| {
                let monitoring = (name == "observability").then(|| (MONITORING.into(), "true".into()));
                let named = [("kubernetes.io/metadata.name".into(), name.into())];
                (name.into(), named.into_iter().chain(monitoring).collect())
            })
            .into(),
        pods: pods.into(),
        nodes: [("node".into(), vec![address("node")])].into(),
    }
}

fn address(name: &str) -> IpAddr {
    let pods = PODS.iter().map(|(name, _, address)| (name, address));
    let all = pods.chain(ADDRESSES.iter().map(|(name, address)| (name, address)));
    let found = all.into_iter().find_map(|(known, address)| (*known == name).then(|| address.parse()));
    found.unwrap_or_else(|| panic!("no address has the name {name}")).expect("an address")
}

fn refusing(network: &Network, text: &str) -> String {
    let refusals = network.refusals(&Connection::read(text, address));
    let sides: Vec<String> = refusals.iter().map(|refusal| refusal.direction.to_string()).collect();
    sides.join(" ")
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().filter(|line| !line.is_empty()).map(|line| line.split(" | ").collect())
}

#[test]
fn only_needed_connections_are_allowed() {
    for folder in ["operator", "operator-one-namespace"] {
        let network = network(folder);
        for row in rows(WANTED) {
            let [why, connection] = row[..] else { panic!("not a row: {row:?}") };
            assert_eq!(refusing(&network, connection), "", "{connection}: {why} ({folder})");
        }
        for row in rows(UNWANTED) {
            let [why, connection, sides] = row[..] else { panic!("not a row: {row:?}") };
            assert_eq!(refusing(&network, connection), sides, "{connection}: {why} ({folder})");
        }
    }
    println!("{} connections allowed, {} refused", rows(WANTED).count(), rows(UNWANTED).count());
}

/// Otherwise the tables above could not tell an effective policy from a network without policies.
#[test]
fn without_a_policy_something_unwanted_is_allowed() {
    for left_out in 0..6 {
        let mut network = network("operator");
        let name = network.policies.remove(left_out).metadata.name;
        assert!(rows(UNWANTED).any(|row| refusing(&network, row[1]) != row[2]), "{name:?} is not needed");
    }
}

#[test]
fn the_documented_additional_policy_allows_what_it_says() {
    let text = std::fs::read_to_string(checkout().join("docs/operator.md")).expect("text");
    let added = text.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let added: Vec<&str> = added.filter(|block| block.contains("kind: NetworkPolicy")).collect();
    assert_eq!(added.len(), 1);
    let mut network = network("operator");
    let newly = ["prometheus → data-plane TCP 3211", "data-plane → gateway TCP 8000"];
    let still = ["bystander → data-plane TCP 3211", "data-plane → database TCP 5432", "data-plane → anybody TCP 8000"];
    for connection in newly.iter().chain(&still) {
        assert_ne!(refusing(&network, connection), "", "{connection}");
    }
    network.policies.push(serde_saphyr::from_str(added[0]).expect("a NetworkPolicy"));
    for connection in newly {
        assert_eq!(refusing(&network, connection), "", "{connection}");
    }
    for connection in still {
        assert_ne!(refusing(&network, connection), "", "{connection}");
    }
}
