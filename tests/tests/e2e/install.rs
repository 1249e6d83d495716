//! From nothing to a routed call, with the clients that people use.

use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Value, json};
use tests::{clients, mcp::Mcp, waiting};

use crate::{
    pods,
    routing_policy::{self, NAME, NODE_PORT, TOKEN},
    setup::{IMAGES, node_address},
    tunnel::Tunnel,
};

const TOOLS: [&str; 4] = ["code_review", "debug", "retrospective", "trainer"];

#[tokio::test]
async fn bare_curl_lists_the_four_tools_and_is_refused_without_the_token() {
    let policies = routing_policy::ready().await;
    let url = routing_policy::url().await;
    let status = policies.get(NAME).await.status.expect("a status");
    let endpoint = status.endpoint.expect("an endpoint");
    assert_eq!((endpoint.url.as_deref(), endpoint.node_port), (Some(url.as_str()), Some(NODE_PORT)));
    let curl = |more: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-s",
                "-X",
                "POST",
                &url,
                "-H",
                "Content-Type: application/json",
                "-w",
                "\n%{http_code} %{content_type}",
            ])
            .args(["-d", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#])
            .args(more)
            .output()
            .expect("curl runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let answered = curl(&["-H", &bearer]);
    let (body, tail) = answered.rsplit_once('\n').expect("two lines");
    assert_eq!(tail, "200 application/json");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let tools: Vec<&str> =
        body["result"]["tools"].as_array().expect("tools").iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(tools, TOOLS);
    let refused = curl(&["-i"]);
    assert!(refused.contains("401") && refused.to_lowercase().contains("www-authenticate: bearer"), "{refused}");
    assert!(curl(&["-H", "Authorization: Bearer wrong"]).contains("\n401 "));
}

#[tokio::test]
async fn python_typescript_and_claude_code_connect_to_the_node_port() {
    routing_policy::ready().await;
    let url = routing_policy::url().await;
    for mode in clients::MODES {
        assert_eq!(clients::python(&url, mode, &["--token", TOKEN, "list"]), json!(TOOLS), "{mode}");
        assert_eq!(clients::typescript(&url, mode, TOKEN, &["list"]), json!(TOOLS), "{mode}");
        let arguments = r#"{"project_root":"/tmp","problem":"call-7"}"#;
        let answer = clients::typescript(&url, mode, TOKEN, &["call", "debug", arguments]);
        assert!(answer["content"][1]["text"].as_str().is_some_and(|text| text.contains("call-7")), "{answer}");
    }

    let home = tempfile::tempdir().expect("a folder");
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let add = ["mcp", "add", "--transport", "http", "routing", &url, "--header", &bearer];
    let added = clients::claude(home.path(), &add);
    assert!(added.status.success(), "{added:?}");
    let listed = clients::claude(home.path(), &["mcp", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains(&url) && listed.contains("Connected"), "{listed}");
    println!("claude mcp list: {}", listed.lines().last().unwrap_or_default().replace(&node_address().await, "NODE"));
}

/// A Service named `routing` makes the kubelet set `ROUTING_PORT=tcp://…` in pods with service links.
#[tokio::test]
async fn a_pod_next_to_a_service_named_routing_keeps_its_port() {
    let policies = routing_policy::ready().await;
    let old = pods::generation(&policies, NAME).await;
    let pod = old.keys().next().expect("a pod");
    policies.kubectl(&["delete", "pod", pod, "--wait=false"]);
    let new = waiting::until("a pod that was started next to the Service", || async {
        let now = pods::generation(&policies, NAME).await;
        now.into_keys().find(|name| !old.contains_key(name))
    })
    .await;
    policies.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{new}"), "--timeout=180s"]);
    let tunnel = Tunnel::to_pod(NAME, &new);
    assert_eq!(Mcp::new(&tunnel.mcp()).token(TOKEN).tools().await, TOOLS);

    // The same image in a pod with service links: the start is refused.
    let container = json!({"name": "trapped", "image": IMAGES[0], "securityContext": {"allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}});
    let spec = json!({"restartPolicy": "Never", "containers": [container],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}});
    let trapped = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trapped"}, "spec": spec});
    policies.kubectl(&["delete", "pod", "trapped", "--ignore-not-found"]);
    policies.apply_document(trapped);
    let api: Api<Pod> = Api::namespaced(policies.client.clone(), NAME);
    waiting::until_true("the trapped pod to end", || async {
        let status = api.get("trapped").await.expect("the pod").status;
        status.and_then(|status| status.phase).as_deref() == Some("Failed")
    })
    .await;
    let log = policies.kubectl(&["logs", "trapped"]);
    assert!(log.contains("ROUTING_PORT: tcp://"), "{log}");
    policies.kubectl(&["delete", "pod", "trapped"]);
}
