//! What changes while pods run: in force on all of them, without a restart, within seconds.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{mcp::Mcp, policies::Policies, waiting};

use crate::{
    pods,
    setup::{self, count, spec},
    timing::Times,
    tunnel::Tunnel,
};

/// From `kubectl apply` to in force on all pods, and after a request for new Secrets: the 99th percentile, the longest.
const GOAL: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));
/// Without being told, pods get new files when the kubelet looks by itself.
const UNTOLD_MAX: Duration = Duration::from_secs(180);
const STEP: Duration = Duration::from_millis(25);

async fn prepared(namespace: &str) -> Policies {
    setup::operator().await;
    setup::models().await;
    setup::namespace(namespace).await
}

/// Waits until every pod says what is asked for.
async fn until_all(tunnels: &[Tunnel], limit: Duration, what: &str, holds: impl Fn(&Value) -> bool) -> Duration {
    let began = Instant::now();
    for tunnel in tunnels {
        while !holds(&tunnel.status().await) {
            assert!(began.elapsed() < limit, "{what}: not on all pods after {limit:?}");
            tokio::time::sleep(STEP).await;
        }
    }
    began.elapsed()
}

async fn hash(tunnel: &Tunnel) -> Value {
    tunnel.status().await["configHash"].clone()
}

#[tokio::test]
async fn a_threshold_a_prompt_and_a_skill_change_on_three_replicas_without_a_restart() {
    let policies = prepared("e2e-live").await;
    let prompts = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prompts"}, "data": {"p.md": text}})
            .to_string()
    };
    policies.apply_document(&prompts("be brief"));
    let with = |thresholds: &str, more: &str| {
        spec(&format!(
            ", dataPlane: {{replicas: 3}}{thresholds}, skills: [{{name: notes, description: d, inputSchema: {{type: object}}, \
            stages: [{{system: {{configMapKeyRef: {{name: prompts, key: p.md}}}}, user: u}}]}}{more}]"
        ))
    };
    policies.apply("edge", &with("", ""));
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    assert_eq!(before.len(), 3);
    let tunnels = pods::tunnels(&policies, "edge").await;

    let old = hash(&tunnels[0]).await;
    policies.apply("edge", &with(", thresholds: {floor: \"0.95\", ceil: \"0.60\"}", ""));
    until_all(&tunnels, waiting::LIMIT, "the threshold", |status| status["configHash"] != old).await;
    let old = hash(&tunnels[0]).await;
    policies.apply_document(&prompts("be thorough"));
    until_all(&tunnels, waiting::LIMIT, "the prompt", |status| status["configHash"] != old).await;
    policies.apply("edge", &with("", ", {name: debug}"));
    let has_debug =
        |status: &Value| status["skills"].as_array().is_some_and(|all| all.iter().any(|s| s["name"] == "debug"));
    until_all(&tunnels, waiting::LIMIT, "the skill", has_debug).await;
    for tunnel in &tunnels {
        assert_eq!(Mcp::new(&tunnel.mcp()).tools().await, ["debug", "notes"]);
    }
    policies.wait_until_ready("edge").await;
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-live");
}

#[tokio::test]
async fn changes_reach_all_replicas_within_seconds() {
    let policies = prepared("e2e-changes").await;
    let change = |n: u32| spec(&format!(", dataPlane: {{replicas: 3}}, limits: {{inFlight: {n}}}"));
    policies.apply("edge", &change(1));
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    let tunnels = pods::tunnels(&policies, "edge").await;
    let mut told = Times::default();
    for n in 0..count(10, 50) {
        let (old, began) = (hash(&tunnels[0]).await, Instant::now());
        policies.apply("edge", &change(100 + n));
        until_all(&tunnels, waiting::LIMIT, "the change", |status| status["configHash"] != old).await;
        told.add(began.elapsed());
    }
    told.print("a change, from kubectl apply to all of 3 pods", Some(GOAL));

    // Nobody tells the pods while the operator is away: the same change of the same file, as the kubelet alone brings it.
    policies.wait_until_ready("edge").await;
    setup::scaled("routing-system", "routing-operator", 0).await;
    let mut untold = Times::default();
    for n in 0..count(1, 3) {
        let config_map = policies.object("ConfigMap", "edge").await.expect("the config");
        let text = config_map["data"]["policy.yaml"].as_str().expect("text");
        let (_, rest) = text.split_once("inFlight: ").expect("the limit");
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let text = text.replace(&format!("inFlight: {number}"), &format!("inFlight: {}", 500 + n));
        let (old, began) = (hash(&tunnels[0]).await, Instant::now());
        let patch = json!({"data": {"policy.yaml": text}}).to_string();
        policies.kubectl(&["patch", "configmap", "edge", "--type=merge", "--patch", &patch]);
        until_all(&tunnels, UNTOLD_MAX, "the untold change", |status| status["configHash"] != old).await;
        untold.add(began.elapsed());
    }
    untold.print("beside it, a change that no pod is told of", None);
    println!("ratio of the medians, untold to told: {:.0}", untold.at(0.5).as_secs_f64() / told.at(0.5).as_secs_f64());
    setup::scaled("routing-system", "routing-operator", 1).await;
    policies.wait_until_ready("edge").await;
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-changes");
}

/// A call with a token is answered by this pod.
async fn opens(tunnel: &Tunnel, token: &str) -> bool {
    Mcp::new(&tunnel.mcp()).token(token).send("tools/list", json!({})).await.status() == StatusCode::OK
}

async fn until_open(tunnels: &[Tunnel], token: &str, limit: Duration) -> Duration {
    let began = Instant::now();
    for tunnel in tunnels {
        while !opens(tunnel, token).await {
            assert!(began.elapsed() < limit, "a rotated token is not in force after {limit:?}");
            tokio::time::sleep(STEP).await;
        }
    }
    began.elapsed()
}

#[tokio::test]
async fn a_rotated_secret_is_in_force_without_a_restart() {
    let policies = prepared("e2e-rotation").await;
    setup::secret("e2e-rotation", "tokens", &[("ALICE", "first-token"), ("KEY", "first-key")]);
    policies.apply(
        "edge",
        &spec(", dataPlane: {replicas: 3}, access: {tokens: [{name: alice, secretRef: {name: tokens, key: ALICE}}]}")
            .replace(
                "url: \"http://stand-in.models:4000\"",
                "url: \"http://stand-in.models:4000\", apiKeySecretRef: {name: tokens, key: KEY}",
            ),
    );
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    let tunnels = pods::tunnels(&policies, "edge").await;
    until_open(&tunnels, "first-token", waiting::LIMIT).await;

    let mut untold = Times::default();
    for n in 0..count(1, 3) {
        let token = format!("untold-token-{n}");
        let began = Instant::now();
        setup::secret("e2e-rotation", "tokens", &[("ALICE", &token), ("KEY", &format!("untold-key-{n}"))]);
        until_open(&tunnels, &token, Duration::from_secs(120)).await;
        untold.add(began.elapsed());
    }
    untold.print("a rotated token and key, on all of 3 pods (required: within 2 minutes)", None);
    let mut asked = Times::default();
    for n in 0..count(5, 20) {
        let token = format!("asked-token-{n}");
        let began = Instant::now();
        setup::secret("e2e-rotation", "tokens", &[("ALICE", &token), ("KEY", &format!("asked-key-{n}"))]);
        let annotation = format!("routing.hyperguild.io/requestedAt=request-{n}");
        policies.kubectl(&["annotate", "rp", "edge", "--overwrite", &annotation]);
        until_open(&tunnels, &token, Duration::from_secs(120)).await;
        asked.add(began.elapsed());
    }
    asked.print("the same with the policy annotated", Some(GOAL));
    for tunnel in &tunnels {
        assert!(!opens(tunnel, "first-token").await, "the old token is refused");
    }
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-rotation");
}
