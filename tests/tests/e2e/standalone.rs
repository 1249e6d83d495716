//! The plain manifests of contract part 8, without an operator, and the documented switch to it.

use std::{fs, path::Path, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tests::{Policy, checkout, cluster::deploy, http, mcp::Mcp, policies::Policies, waiting};

use crate::{
    documented,
    load::{Load, Plan},
    routing_policy::{self, NAME, NODE_PORT, TOKEN},
    setup::{self, BRAIN_TOKEN, cluster, node_address},
};

/// A copy of the documented overlay with this run's host, image and secrets, next to a copy of its base.
async fn overlay(folder: &Path) -> String {
    for name in ["standalone", "standalone-example"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
        for file in fs::read_dir(checkout().join("deploy").join(name)).expect("the manifests") {
            let file = file.expect("a file").path();
            fs::copy(&file, folder.join(name).join(file.file_name().expect("a name"))).expect("copied");
        }
    }
    let nodes: Api<Node> = Api::all(cluster().client().await);
    let node = nodes.list(&ListParams::default()).await.expect("nodes").items.remove(0).name_any();
    let file = folder.join("standalone-example/kustomization.yaml");
    let mut text = fs::read_to_string(&file).expect("the overlay");
    let secrets = format!("ROUTING_MCP_TOKEN={TOKEN}\n      - BRAIN_TOKEN={BRAIN_TOKEN}");
    for (theirs, ours) in [
        ("newName: registry.example/routing", "newName: routing"),
        ("LITELLM_API_KEY=replace-me", "LITELLM_API_KEY=sk-test-master-key"),
        ("ROUTING_MCP_TOKEN=replace-me", &secrets),
        ("kubernetes.io/hostname: my-node", &format!("kubernetes.io/hostname: {node}")),
        ("http://litellm.example:4000", "http://litellm.models:4000"),
        ("http://brain.example:3300", "http://ingestion.supervisor:3300"),
    ] {
        assert!(text.contains(theirs), "the overlay no longer has {theirs}");
        text = text.replace(theirs, ours);
    }
    fs::write(&file, text).expect("written");
    folder.join("standalone-example").display().to_string()
}

async fn installed() -> Policies {
    setup::models().await;
    setup::brain().await;
    setup::remove_namespace(NAME);
    let folder = tempfile::tempdir().expect("a folder");
    let overlay = overlay(folder.path()).await;
    cluster().kubectl(&["apply", "-k", &overlay]).expect_worked();
    setup::rolled_out(NAME, "routing");
    setup::port_open(&routing_policy::url().await).await;
    Policies::in_namespace(cluster(), NAME).await
}

async fn pod(policies: &Policies) -> Pod {
    let api: Api<Pod> = Api::namespaced(policies.client.clone(), NAME);
    api.list(&ListParams::default().labels("app=routing")).await.expect("pods").items.remove(0)
}

/// Checks what contract part 8 says of the plain manifests, however they were applied. Returns the pod's spec.
pub async fn contract_8_holds(policies: &Policies, token: &str) -> Value {
    let deployment = policies.object("Deployment", "routing").await.expect("the Deployment");
    assert_eq!((&deployment["spec"]["replicas"], &deployment["status"]["readyReplicas"]), (&json!(1), &json!(1)));
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], json!({"app": "routing"}));
    let pod = pod(policies).await;
    let spec = serde_json::to_value(pod.spec.expect("a spec")).expect("JSON");
    assert_eq!(spec["enableServiceLinks"], json!(false));
    assert_eq!(spec["nodeSelector"]["kubernetes.io/hostname"], json!(spec["nodeName"]));
    assert_eq!(spec["containers"][0]["envFrom"], json!([{"secretRef": {"name": "routing-secrets"}}]));

    let node = node_address().await;
    let url = routing_policy::url().await;
    assert_eq!(http().get(format!("http://{node}:{NODE_PORT}/healthz")).send().await.expect("an answer").status(), 200);
    let open = Mcp::new(&url).send("tools/list", json!({})).await.status();
    assert_eq!(open, 401, "the token is the Secret's");
    let mcp = Mcp::new(&url).token(token);
    assert_eq!(mcp.tools().await, ["code_review", "debug", "retrospective", "trainer"]);
    let result = mcp.debug("call-8").await;
    assert!(result.text(0).contains("qwen35") && result.text(0).contains("call-8"), "the default model: {result:?}");
    // Inside the cluster: the Service of the contract's name and port.
    let service = policies.object("Service", "routing").await.expect("the Service");
    assert_eq!(service["spec"]["ports"][0]["port"], json!(3210));
    let through = format!("/api/v1/namespaces/{NAME}/services/routing:3210/proxy/healthz");
    policies.kubectl(&["get", "--raw", &through]);
    spec
}

#[tokio::test]
async fn contract_8_the_plain_manifests_run_without_an_operator() {
    // As it is, kubectl refuses the encrypted Secret: Flux decrypts it.
    let refused = cluster().kubectl(&["apply", "--dry-run=server", "-k", &deploy("standalone")]);
    assert!(!refused.worked && refused.err.contains("sops"), "{}{}", refused.out, refused.err);

    let policies = installed().await;
    let spec = contract_8_holds(&policies, TOKEN).await;
    assert_eq!(spec["imagePullSecrets"], json!([{"name": "my-registry"}]), "the overlay's");
    setup::let_go(NAME);
}

/// The steps of `docs/from-standalone.md`.
#[tokio::test]
async fn the_documented_switch_to_the_operator_serves_all_the_time() {
    let policies = installed().await;
    setup::operator().await;
    let load = Load::start(Plan {
        port: NODE_PORT,
        token: Some(TOKEN),
        per_second: 10,
        slow_one_in: 20,
        slow: Duration::from_secs(5),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let policy = Policy::of(NAME, &routing_policy::spec()).to_string();
    fs::write(folder.path().join("routing.yaml"), policy).expect("written");
    let blocks = documented::blocks("docs/from-standalone.md", "## Five steps");
    assert_eq!(blocks.len(), 4, "{blocks:#?}");
    for block in blocks {
        // All lines of a block belong to its commands.
        let commands: String =
            block.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line).to_string() + "\n").collect();
        documented::shell(&format!("set -e\n{commands}"), folder.path());
    }
    // Includes the end of the old pods.
    waiting::until_true("the new pod alone", || async {
        let api: Api<Pod> = Api::namespaced(policies.client.clone(), NAME);
        let pods = api.list(&ListParams::default().labels("app=routing")).await.expect("pods").items;
        pods.len() == 1
    })
    .await;
    let pods: Vec<Value> = crate::pods::of(&policies, NAME).await.iter().map(|pod| json!(pod.name_any())).collect();
    assert_eq!(pods.len(), 1, "{pods:?}");
    let service = policies.object("Service", "routing-nodeport").await.expect("the Service");
    assert_eq!(service["spec"]["ports"][0]["nodePort"], json!(NODE_PORT));
    assert_eq!(service["metadata"]["ownerReferences"][0]["kind"], json!("RoutingPolicy"));
    let report = load.end();
    let met = if report.failures.is_empty() { "met" } else { "missed" };
    println!("from the plain manifests to the operator: {}; goal 0 failed: {met}", report.line());
    report.failures.iter().for_each(|failure| println!("  {failure}"));
    assert!(report.failures.len() as u64 * 20 < report.sent, "more than one call in 20 failed");
    setup::let_go(NAME);
}
