//! The live smoke test of contract part 9, in the cluster, and a route that reports flip.

use std::process::Command;

use serde_json::json;
use tests::{checkout, mcp::Mcp, policies::condition, required, waiting};

use crate::{
    routing_policy::{self, TOKEN},
    setup::{self, BRAIN_NODE_PORT, BRAIN_TOKEN, LITELLM_NODE_PORT, node_address},
};

#[tokio::test]
async fn contract_9_smoke_test_passes_with_litellm_and_the_brain_in_the_cluster() {
    routing_policy::ready().await;
    let node = node_address().await;
    let output = Command::new("bash")
        .arg(checkout().join("tests/smoke.sh"))
        .env("ROUTING_URL", routing_policy::url().await)
        .env("ROUTING_MCP_TOKEN", TOKEN)
        .env("LITELLM_BASE_URL", format!("http://{node}:{LITELLM_NODE_PORT}"))
        .env("LITELLM_API_KEY", "sk-test-master-key")
        .env("BRAIN_URL", format!("http://{node}:{BRAIN_NODE_PORT}"))
        .output()
        .expect("the script runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim_end().ends_with("PASS"), "{out}{err}");
    println!("{}", out.trim_end());
}

#[tokio::test]
async fn outcomes_reported_through_the_brains_node_port_flip_a_route() {
    setup::brain().await;
    let policies = setup::prepared("e2e-flip").await;
    setup::secret("e2e-flip", "brain", &[("TOKEN", BRAIN_TOKEN)]);
    // A skill that no earlier run reported.
    let skill = format!("flip_{}", std::process::id());
    policies.apply(
        "flip",
        &setup::spec(json!({
            "brain": setup::brain_with_token_of("brain"),
            "evidence": {"ttl": "1s", "minSamples": 10, "window": "1h"},
            "skills": [setup::skill(&skill, json!({"text": "s"}))],
        })),
    );
    let url = setup::served(&policies, "flip").await;
    let call = || async { Mcp::new(&url).result(&skill, json!({})).await.decisions("decision") };
    assert_eq!(call().await, [json!("local")], "never measured");
    let brain = format!("http://{}:{BRAIN_NODE_PORT}", node_address().await);
    for _ in 0..10 {
        let reported = Command::new(required("ROUTING_BIN"))
            .args(["outcome", &skill, "fail", "--new-skill", "--brain-url", &brain])
            .env("BRAIN_TOKEN", BRAIN_TOKEN)
            .output()
            .expect("routing runs");
        assert!(reported.status.success(), "{}", String::from_utf8_lossy(&reported.stderr));
    }
    waiting::until_true("calls to go to Claude", || async { call().await == [json!("claude")] }).await;
    let shown = policies.wait_for("flip", "the route in the status", |status| {
        status.skills.iter().any(|s| s.pass_rate.as_deref() == Some("0.00") && format!("{:?}", s.route) == "Claude")
    });
    let shown = shown.await;
    assert_eq!(condition(&shown, "Ready").map(|ready| ready.status.as_str()), Some("True"));
    let refused = Command::new(required("ROUTING_BIN"))
        .args(["outcome", &skill, "pass", "--brain-url", &brain])
        .env("BRAIN_TOKEN", "wrong")
        .output()
        .expect("routing runs");
    assert!(!refused.status.success(), "without the token nobody can change a route");
    setup::let_go("e2e-flip");
}
