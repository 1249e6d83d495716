//! The memory of the pods' containers, as their kubelet reports it.

use k8s_openapi::{api::core::v1::Node, jiff::Timestamp};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::Value;
use tests::waiting;

use crate::setup::cluster;

/// Namespace of the operator.
const OPERATOR: &str = "routing-system";

/// Prints the memory of the operator's pods and of those of a namespace, as measured from now on.
pub async fn print(when: &str, namespace: &str) {
    let (client, now) = (cluster().client().await, Timestamp::now());
    let measured = waiting::until("the kubelet to measure operator and data plane", || async {
        let containers = containers(&client, namespace).await;
        let fresh: Vec<_> =
            containers.into_iter().filter(|container| container.at > now && container.resident > 0.0).collect();
        let has = |name: &str| fresh.iter().any(|container| container.namespace == name);
        (has(namespace) && has(OPERATOR)).then_some(fresh)
    });
    for Container { namespace, name, working_set, resident, .. } in measured.await {
        println!("memory {when}: {namespace} {name}: working set {working_set:.1} MiB, resident {resident:.1} MiB");
    }
}

struct Container {
    namespace: String,
    name: String,
    at: Timestamp,
    working_set: f64,
    resident: f64,
}

async fn containers(client: &Client, namespace: &str) -> Vec<Container> {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut all = vec![];
    for node in nodes.list(&ListParams::default()).await.expect("nodes") {
        let path = format!("/api/v1/nodes/{}/proxy/stats/summary", node.name_any());
        let request = http::Request::get(path).body(vec![]).expect("a request");
        let summary: Value = client.request(request).await.expect("the kubelet's summary");
        for pod in summary["pods"].as_array().into_iter().flatten() {
            let of = pod["podRef"]["namespace"].as_str().unwrap_or_default();
            if [namespace, OPERATOR].contains(&of) {
                all.extend(pod["containers"].as_array().into_iter().flatten().filter_map(|c| container(of, c)));
            }
        }
    }
    all
}

/// `None` if it was not measured yet.
fn container(namespace: &str, container: &Value) -> Option<Container> {
    let memory = &container["memory"];
    let mebibytes = |field: &str| Some(memory[field].as_f64()? / 1_048_576.0);
    Some(Container {
        namespace: namespace.into(),
        name: container["name"].as_str()?.into(),
        at: memory["time"].as_str()?.parse().ok()?,
        working_set: mebibytes("workingSetBytes")?,
        resident: mebibytes("rssBytes")?,
    })
}
