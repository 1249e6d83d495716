//! What the pods' containers use, as their kubelet says.

use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::Value;

use crate::setup::cluster;

/// Prints the memory of the operator's pods and of those of a namespace.
pub async fn print(when: &str, namespace: &str) {
    let client = cluster().client().await;
    let nodes: Api<Node> = Api::all(client.clone());
    for node in nodes.list(&ListParams::default()).await.expect("nodes") {
        let path = format!("/api/v1/nodes/{}/proxy/stats/summary", node.name_any());
        let request = http::Request::get(path).body(vec![]).expect("a request");
        let summary: Value = client.request(request).await.expect("the kubelet's summary");
        let of_interest = |pod: &&Value| {
            let pod_namespace = pod["podRef"]["namespace"].as_str().unwrap_or_default();
            [namespace, "routing-system"].contains(&pod_namespace)
        };
        for pod in summary["pods"].as_array().into_iter().flatten().filter(of_interest) {
            for container in pod["containers"].as_array().into_iter().flatten() {
                let mebibytes = |field: &str| container["memory"][field].as_f64().unwrap_or_default() / 1_048_576.0;
                println!(
                    "memory {when}: {} {}: working set {:.1} MiB, resident {:.1} MiB",
                    pod["podRef"]["namespace"].as_str().unwrap_or_default(),
                    container["name"].as_str().unwrap_or_default(),
                    mebibytes("workingSetBytes"),
                    mebibytes("rssBytes")
                );
            }
        }
    }
}
