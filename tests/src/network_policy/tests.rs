use serde_json::{Value, json};

use super::*;
use crate::policy::merged;

/// Two namespaces, `shop` (team: red) and `bank` (team: blue), their pods on one node.
fn network(policies: &str) -> Network {
    let pod = |namespace: &str, name: &str, labels: &[(&str, &str)], addresses: &[&str]| Pod {
        namespace: namespace.into(),
        name: name.into(),
        labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        addresses: addresses.iter().map(|name| address(name)).collect(),
        ports: vec![],
        node: "node1".into(),
    };
    let web_port = NamedPort { name: "web".into(), protocol: Protocol::Tcp, number: 8080 };
    let namespace = |name: &str, team: &str| (name.to_string(), Labels::from([("team".into(), team.into())]));
    Network {
        policies: serde_saphyr::from_str(policies).expect(policies),
        namespaces: [namespace("shop", "red"), namespace("bank", "blue")].into(),
        pods: vec![
            Pod { ports: vec![web_port], ..pod("shop", "web", &[("app", "web"), ("tier", "front")], &["web", "web6"]) },
            pod("shop", "db", &[("app", "db")], &["db"]),
            pod("bank", "web", &[("app", "web"), ("tier", "front")], &["bank-web"]),
            pod("bank", "bare", &[], &["bare"]),
        ],
        nodes: [("node1".into(), vec![address("node"), address("node2")])].into(),
    }
}

fn address(name: &str) -> IpAddr {
    let text = match name {
        "web" => "10.0.0.1",
        "web6" => "fd00::1",
        "db" => "10.0.0.2",
        "bank-web" => "10.0.1.1",
        "bare" => "10.0.1.2",
        "node" => "10.0.0.254",
        "node2" => "192.168.0.1",
        "outside" => "192.0.2.7",
        "outside6" => "2001:db8::7",
        other => panic!("no address has the name {other}"),
    };
    text.parse().expect("an address")
}

/// A policy in `shop`, as a YAML list.
fn shop(spec: &str) -> String {
    format!("[{{metadata: {{namespace: shop, name: one}}, spec: {spec}}}]")
}

/// The sides that refuse, or `allowed`.
fn verdict(policies: &str, text: &str) -> String {
    let refusals = network(policies).refusals(&Connection::read(text, address));
    let sides: Vec<String> = refusals.iter().map(|refusal| refusal.direction.to_string()).collect();
    if sides.is_empty() { "allowed".into() } else { sides.join(" ") }
}

/// Rows of: the rule | the spec of a policy in `shop` | the connection | the sides that refuse. Indented lines continue
/// a row.
fn hold(table: &str) {
    let table = table.replace("\n    ", " ");
    let rows: Vec<&str> = table.lines().filter(|line| !line.is_empty()).collect();
    for row in &rows {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, spec, connection, expected] = columns[..] else { panic!("not a row: {row}") };
        assert_eq!(verdict(&shop(spec), connection), expected, "{row}");
    }
    assert!(!rows.is_empty());
}

#[test]
fn a_pod_is_isolated_in_the_directions_of_the_policies_that_select_it() {
    hold(
        r#"
a policy without rules refuses ingress | {podSelector: {}} | bare → web TCP 8080 | ingress
also from outside | {podSelector: {}} | outside → web TCP 8080 | ingress
without policyTypes and egress rules, egress is not restricted | {podSelector: {}} | web → bare TCP 80 | allowed
an empty list of egress rules does not change that | {podSelector: {}, egress: []} | web → bare TCP 80 | allowed
egress rules make it one of both types | {podSelector: {}, egress: [{ports: [{port: 53}]}]} | web → bare TCP 80 | egress
…ingress is refused, too | {podSelector: {}, egress: [{ports: [{port: 53}]}]} | bare → web TCP 80 | ingress
policyTypes decide alone | {podSelector: {}, policyTypes: [Egress]} | bare → web TCP 80 | allowed
…without rules, egress is refused | {podSelector: {}, policyTypes: [Egress]} | web → outside TCP 80 | egress
…other types' rules do not count | {podSelector: {}, policyTypes: [Ingress], egress: [{}]} | bare → web TCP 80 | ingress
an empty list of types is ignored | {podSelector: {}, policyTypes: []} | bare → web TCP 80 | ingress
without a selector it is for every pod | {policyTypes: [Ingress]} | bare → web TCP 80 | ingress
a pod that is not selected is not isolated | {podSelector: {matchLabels: {app: db}}} | bare → web TCP 80 | allowed
nor is one of another namespace | {podSelector: {}} | web → bank-web TCP 80 | allowed
both ends count | {podSelector: {}, policyTypes: [Ingress, Egress]} | web → db TCP 80 | egress ingress
policies are only for pods | {podSelector: {}, policyTypes: [Ingress, Egress]} | outside → node TCP 80 | allowed
a pod reaches itself | {podSelector: {}, policyTypes: [Ingress, Egress]} | web → web TCP 80 | allowed
its node reaches it, for probes | {podSelector: {}} | node → web TCP 80 | allowed
…by any of its addresses | {podSelector: {}} | node2 → web TCP 80 | allowed
egress to its node needs a rule | {podSelector: {}, policyTypes: [Egress]} | web → node TCP 10250 | egress
"#,
    );
}

#[test]
fn peers_match_by_pod_namespace_and_address() {
    hold(
        r#"
a rule without peers is for all | {ingress: [{}]} | outside → web TCP 80 | allowed
as is one with an empty list | {ingress: [{from: []}]} | bare → web TCP 80 | allowed
pods are those of the policy's namespace | {ingress: [{from: [{podSelector: {}}]}]} | db → web TCP 80 | allowed
…and not others' | {ingress: [{from: [{podSelector: {}}]}]} | bank-web → web TCP 80 | ingress
…and not bare addresses | {ingress: [{from: [{podSelector: {}}]}]} | outside → web TCP 80 | ingress
a namespace stands for all its pods
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]} | bare → web TCP 80 | allowed
…and for no others
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]} | db → web TCP 80 | ingress
an empty one selects all namespaces | {ingress: [{from: [{namespaceSelector: {}}]}]} | bare → web TCP 80 | allowed
…but no bare address | {ingress: [{from: [{namespaceSelector: {}}]}]} | outside → web TCP 80 | ingress
both selectors of one peer must match
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}]}]}
    | bank-web → web TCP 80 | allowed
…the pod's
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}]}]}
    | bare → web TCP 80 | ingress
…and the namespace's
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: web}}}]}]}
    | bank-web → web TCP 80 | ingress
of two peers one is enough
    | {ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: db}}}]}]}
    | db → web TCP 80 | allowed
of two rules one is enough
    | {ingress: [{from: [{podSelector: {}}]}, {from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}
    | bare → web TCP 80 | allowed
a rule's peers and ports belong together
    | {ingress: [{from: [{podSelector: {}}], ports: [{port: 1}]},
    {from: [{namespaceSelector: {}}], ports: [{port: 2}]}]}
    | bare → web TCP 1 | ingress
egress is decided by the called pod
    | {policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]} | web → db TCP 80 | allowed
…and no other
    | {policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]} | web → bare TCP 80 | egress
a block matches by address | {ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]} | outside → web TCP 80 | allowed
…a pod's, too | {ingress: [{from: [{ipBlock: {cidr: 10.0.1.2/32}}]}]} | bare → web TCP 80 | allowed
…within its range only | {ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/30}}]}]} | outside → web TCP 80 | ingress
…with a prefix inside a byte | {ingress: [{from: [{ipBlock: {cidr: 192.0.2.4/30}}]}]} | outside → web TCP 80 | allowed
…everything of its family | {ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]} | outside → web TCP 80 | allowed
…and not the other family | {ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]} | outside6 → web6 TCP 80 | ingress
…IPv6 | {ingress: [{from: [{ipBlock: {cidr: "2001:db8::/32"}}]}]} | outside6 → web6 TCP 80 | allowed
…IPv6 inside a byte | {ingress: [{from: [{ipBlock: {cidr: "2001:db8::8/125"}}]}]} | outside6 → web6 TCP 80 | ingress
an exception is not part of the block
    | {ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.7/32]}}]}]} | outside → web TCP 80 | ingress
…but other rules may allow it
    | {ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.7/32]}}, {ipBlock: {cidr: 192.0.2.7/32}}]}]}
    | outside → web TCP 80 | allowed
"#,
    );
}

#[test]
fn selectors_match_by_labels_and_by_expressions() {
    hold(
        r#"
In needs a value of the list
    | {podSelector: {matchExpressions: [{key: app, operator: In, values: [db, web]}]}} | outside → web TCP 80 | ingress
In needs a value of the list
    | {podSelector: {matchExpressions: [{key: app, operator: In, values: [cache]}]}} | outside → web TCP 80 | allowed
In needs a value of the list
    | {podSelector: {matchExpressions: [{key: role, operator: In, values: [web]}]}} | outside → web TCP 80 | allowed
NotIn needs another value, or none
    | {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}} | outside → web TCP 80 | allowed
NotIn needs another value, or none
    | {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [cache]}]}} | outside → web TCP 80 | ingress
NotIn needs another value, or none
    | {podSelector: {matchExpressions: [{key: role, operator: NotIn, values: [web]}]}} | outside → web TCP 80 | ingress
Exists needs the label
    | {podSelector: {matchExpressions: [{key: tier, operator: Exists}]}} | outside → web TCP 80 | ingress
Exists needs the label
    | {podSelector: {matchExpressions: [{key: tier, operator: Exists}]}} | outside → db TCP 80 | allowed
DoesNotExist needs its absence
    | {podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}} | outside → web TCP 80 | allowed
DoesNotExist needs its absence
    | {podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}} | outside → db TCP 80 | ingress
all expressions must match
    | {podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}, {key: tier, operator: DoesNotExist}]}}
    | outside → web TCP 80 | allowed
every label must match | {podSelector: {matchLabels: {app: web, tier: back}}} | outside → web TCP 80 | allowed
labels and expressions must
    | {podSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: DoesNotExist}]}}
    | outside → web TCP 80 | allowed
namespaces by expressions
    | {ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [red]}]}}]}]}
    | bare → web TCP 80 | allowed
"#,
    );
}

#[test]
fn ports_match_by_number_range_name_and_protocol() {
    hold(
        r#"
a rule without ports is for all | {ingress: [{ports: []}]} | bare → web UDP 9 | allowed
a port | {ingress: [{ports: [{port: 80}]}]} | bare → web TCP 80 | allowed
…is TCP unless it says otherwise | {ingress: [{ports: [{port: 80}]}]} | bare → web UDP 80 | ingress
…and no other | {ingress: [{ports: [{port: 80}]}]} | bare → web TCP 81 | ingress
UDP | {ingress: [{ports: [{port: 53, protocol: UDP}]}]} | bare → web UDP 53 | allowed
SCTP | {ingress: [{ports: [{port: 53, protocol: SCTP}]}]} | bare → web SCTP 53 | allowed
a protocol without a port is for all ports | {ingress: [{ports: [{protocol: UDP}]}]} | bare → web UDP 9 | allowed
…of that protocol | {ingress: [{ports: [{protocol: UDP}]}]} | bare → web TCP 9 | ingress
one of several is enough | {ingress: [{ports: [{port: 1}, {port: 2}]}]} | bare → web TCP 2 | allowed
a range includes its first | {ingress: [{ports: [{port: 80, endPort: 90}]}]} | bare → web TCP 80 | allowed
…and its last | {ingress: [{ports: [{port: 80, endPort: 90}]}]} | bare → web TCP 90 | allowed
…and ends there | {ingress: [{ports: [{port: 80, endPort: 90}]}]} | bare → web TCP 91 | ingress
…and begins there | {ingress: [{ports: [{port: 80, endPort: 90}]}]} | bare → web TCP 79 | ingress
a name is the pod's port with it | {ingress: [{ports: [{port: web}]}]} | bare → web TCP 8080 | allowed
…and no other | {ingress: [{ports: [{port: web}]}]} | bare → web TCP 8081 | ingress
…of its protocol | {ingress: [{ports: [{port: web, protocol: UDP}]}]} | bare → web UDP 8080 | ingress
…which not every pod has | {ingress: [{ports: [{port: web}]}]} | bare → db TCP 8080 | ingress
for egress it is the called pod's port
    | {policyTypes: [Egress], egress: [{ports: [{port: web}]}]} | db → web TCP 8080 | allowed
…and an address has none | {policyTypes: [Egress], egress: [{ports: [{port: web}]}]} | db → outside TCP 8080 | egress
"#,
    );
}

#[test]
fn policies_add_up_and_a_refusal_names_the_policies_of_its_side() {
    let policy = |namespace: &str, name: &str, spec: Value| {
        let metadata = json!({"namespace": namespace, "name": name});
        json!({"metadata": metadata, "spec": spec})
    };
    let of_web = |more: Value| merged(json!({"podSelector": {"matchLabels": {"app": "web"}}}), more);
    let from_blue = json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "blue"}}}]});
    let policies = &json!([
        policy("shop", "closed", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
        policy("shop", "from-bank", of_web(json!({"ingress": [from_blue]}))),
        policy("bank", "closed", of_web(json!({"policyTypes": ["Egress"]}))),
    ])
    .to_string();
    assert_eq!(verdict(policies, "bare → web TCP 80"), "allowed", "one of two allows it");
    assert_eq!(verdict(policies, "bare → db TCP 80"), "ingress", "only `closed` selects the other pod");
    assert_eq!(verdict(policies, "bank-web → web TCP 80"), "egress", "the policy of its own namespace refuses");
    let refusals = network(policies).refusals(&Connection::read("db → web TCP 80", address));
    let words: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["egress by shop/closed", "ingress by shop/closed, shop/from-bank"]);
}

#[test]
fn only_pods_that_policies_apply_to_are_observed() {
    let running = json!({
        "metadata": {"namespace": "shop", "name": "web", "labels": {"app": "web"}},
        "spec": {
            "nodeName": "node1",
            "containers": [{"name": "c", "ports": [
                {"name": "web", "containerPort": 8080},
                {"containerPort": 9},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ]}],
        },
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]},
    });
    let pod = |change: &Value| {
        let pod = merged(running.clone(), change.clone());
        Pod::observed(&serde_json::from_value(pod).expect("a Pod"))
    };
    let seen = pod(&json!({})).expect("it is seen");
    assert_eq!((seen.addresses.len(), seen.node.as_str(), &seen.labels["app"]), (2, "node1", &"web".to_string()));
    let ports: Vec<(&str, Protocol, u16)> =
        seen.ports.iter().map(|p| (p.name.as_str(), p.protocol, p.number)).collect();
    assert_eq!(ports, [("web", Protocol::Tcp, 8080), ("dns", Protocol::Udp, 53)]);
    for change in [
        json!({"status": {"phase": "Succeeded"}}),
        json!({"status": {"phase": "Failed"}}),
        json!({"status": {"phase": "Pending", "podIPs": null}}),
        json!({"spec": {"hostNetwork": true}}),
    ] {
        assert_eq!(pod(&change), None, "{change}");
    }
}
