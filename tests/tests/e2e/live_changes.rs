//! Changes while pods run are in force on all of them, without a restart, within seconds.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{mcp::Mcp, policies::config_map, policy::merged, waiting};

use crate::{
    pods,
    setup::{self, Away, BRAIN_TOKEN, count, spec},
    timing::Times,
    tunnel::Tunnel,
};

/// From `kubectl apply`, or a request for new Secrets, to in force on all pods: the 99th percentile, the maximum.
const GOAL: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(10));
/// Far above the goal, and far below what the kubelet alone takes: beyond it pods were not notified at all.
pub const TOLD: Duration = Duration::from_secs(20);
/// Longest wait without a notification: pods get new files when the kubelet refreshes them by itself.
const UNTOLD_MAX: Duration = Duration::from_secs(180);

/// Waits until the status of every pod is as expected, and returns how long that took.
async fn until_all(tunnels: &[Tunnel], limit: Duration, what: &str, holds: impl Fn(&Value) -> bool) -> Duration {
    let began = Instant::now();
    for tunnel in tunnels {
        let left = limit.saturating_sub(began.elapsed());
        waiting::until_true_within(left, what, || async { holds(&tunnel.status().await) }).await;
    }
    began.elapsed()
}

/// Waits until every pod routes the skill's calls like this.
async fn until_routed(tunnels: &[Tunnel], skill: &str, route: &str) {
    let goes = |status: &Value| {
        let skills = status["skills"].as_array().into_iter().flatten();
        skills.into_iter().any(|found| found["name"] == skill && found["route"] == route)
    };
    until_all(tunnels, waiting::LIMIT, &format!("the route {route}"), goes).await;
}

/// Waits until every pod sends this prompt, whose number the stand-in repeats.
async fn until_prompted(tunnels: &[Tunnel], skill: &str, call: &str) {
    for tunnel in tunnels {
        waiting::until_true("the prompt", || async {
            Mcp::new(&tunnel.mcp()).result(skill, json!({})).await.text(0).contains(call)
        })
        .await;
    }
}

#[tokio::test]
async fn a_threshold_a_prompt_and_a_skill_change_on_three_replicas_without_a_restart() {
    let policies = setup::prepared("e2e-live").await;
    setup::brain().await;
    setup::secret("e2e-live", "brain", &[("TOKEN", BRAIN_TOKEN)]);
    let skill = format!("notes_{}", std::process::id());
    // Half of its outcomes are good, so that its route depends on the thresholds.
    for status in ["pass", "fail"] {
        setup::report(&skill, status).await;
    }
    let prompts = |text: &str| config_map("prompts", json!({"p.md": text}));
    policies.apply_document(prompts("call-41"));
    let notes = setup::skill(&skill, json!({"configMapKeyRef": {"name": "prompts", "key": "p.md"}}));
    let plain = spec(json!({
        "brain": setup::brain_with_token_of("brain"),
        "evidence": {"ttl": "1s", "window": "1h"},
        "dataPlane": {"replicas": 3},
        "skills": [notes],
    }));
    let with = |change: Value| merged(plain.clone(), change);
    policies.apply("edge", &plain);
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    assert_eq!(before.len(), 3);
    let tunnels = pods::tunnels(&policies, "edge").await;
    until_routed(&tunnels, &skill, "claude").await;
    policies.apply("edge", &with(json!({"thresholds": {"floor": "0.50", "ceil": "0.40"}})));
    until_routed(&tunnels, &skill, "local").await;
    until_prompted(&tunnels, &skill, "call-41").await;
    policies.apply_document(prompts("call-42"));
    until_prompted(&tunnels, &skill, "call-42").await;
    policies.apply("edge", &with(json!({"skills": [notes, {"name": "debug"}]})));
    let has_debug =
        |status: &Value| status["skills"].as_array().is_some_and(|all| all.iter().any(|s| s["name"] == "debug"));
    until_all(&tunnels, waiting::LIMIT, "the skill", has_debug).await;
    for tunnel in &tunnels {
        assert_eq!(Mcp::new(&tunnel.mcp()).tools().await, ["debug", &skill]);
    }
    policies.wait_until_ready("edge").await;
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-live");
}

#[tokio::test]
async fn changes_reach_all_replicas_within_seconds() {
    let policies = setup::prepared("e2e-changes").await;
    let change = |n: u32| spec(json!({"dataPlane": {"replicas": 3}, "limits": {"inFlight": n}}));
    policies.apply("edge", &change(1));
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    let tunnels = pods::tunnels(&policies, "edge").await;
    let mut told = Times::default();
    for n in 0..count(10, 50) {
        let (old, began) = (tunnels[0].config_hash().await, Instant::now());
        policies.apply("edge", &change(100 + n));
        until_all(&tunnels, waiting::LIMIT, "the change", |status| status["configHash"] != old).await;
        told.add(began.elapsed());
    }
    assert!(told.at(0.5) < TOLD, "no pod was notified: {:?}", told.at(0.5));
    told.print("a change, from kubectl apply to all of 3 pods", Some(GOAL));

    // While the operator is down, nothing notifies the pods: the same change of the same file, delivered by the kubelet
    // alone.
    policies.wait_until_ready("edge").await;
    let operator = Away::take("routing-system", "routing-operator").await;
    let mut untold = Times::default();
    for n in 0..count(1, 3) {
        let config_map = policies.object("ConfigMap", "edge").await.expect("the config");
        let text = config_map["data"]["policy.yaml"].as_str().expect("text");
        let mut policy: Value = serde_saphyr::from_str(text).expect("YAML");
        *policy.pointer_mut("/spec/limits/inFlight").expect("the limit") = json!(500 + n);
        let (old, began) = (tunnels[0].config_hash().await, Instant::now());
        let patch = json!({"data": {"policy.yaml": policy.to_string()}}).to_string();
        policies.kubectl(&["patch", "configmap", "edge", "--type=merge", "--patch", &patch]);
        until_all(&tunnels, UNTOLD_MAX, "the unnotified change", |status| status["configHash"] != old).await;
        untold.add(began.elapsed());
    }
    untold.print("for comparison, a change without a notification", None);
    println!(
        "ratio of the medians, without a notification to with one: {:.0}",
        untold.at(0.5).as_secs_f64() / told.at(0.5).as_secs_f64()
    );
    operator.back().await;
    policies.wait_until_ready("edge").await;
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-changes");
}

/// Whether a call with this token is answered, and reaches the model with this key.
async fn opens(tunnel: &Tunnel, token: &str, key: &str) -> bool {
    let mcp = Mcp::new(&tunnel.mcp()).token(token);
    mcp.send("tools/list", json!({})).await.status() == StatusCode::OK
        && mcp.debug("call-1").await.text(0).ends_with(key)
}

async fn until_open(tunnels: &[Tunnel], token: &str, key: &str, limit: Duration) -> Duration {
    let began = Instant::now();
    for tunnel in tunnels {
        let what = "a rotated token and key to be in force";
        let left = limit.saturating_sub(began.elapsed());
        waiting::until_true_within(left, what, || async { opens(tunnel, token, key).await }).await;
    }
    began.elapsed()
}

/// Gives token and key new values.
fn rotate(number: u32) -> (String, String) {
    let (token, key) = (format!("token-{number}"), format!("key-{number}"));
    setup::secret("e2e-rotation", "tokens", &[("ALICE", &token), ("KEY", &key)]);
    (token, key)
}

#[tokio::test]
async fn a_rotated_secret_is_in_force_without_a_restart() {
    let policies = setup::prepared("e2e-rotation").await;
    let (first, key) = rotate(1);
    policies.apply(
        "edge",
        &spec(json!({
            "upstream": {"apiKeySecretRef": {"name": "tokens", "key": "KEY"}},
            "dataPlane": {"replicas": 3},
            "access": {"tokens": [{"name": "alice", "secretRef": {"name": "tokens", "key": "ALICE"}}]},
        })),
    );
    policies.wait_until_ready("edge").await;
    let before = pods::generation(&policies, "edge").await;
    let tunnels = pods::tunnels(&policies, "edge").await;
    until_open(&tunnels, &first, &key, waiting::LIMIT).await;

    let mut untold = Times::default();
    for n in 0..count(1, 3) {
        let began = Instant::now();
        let (token, key) = rotate(100 + n);
        until_open(&tunnels, &token, &key, Duration::from_secs(120)).await;
        untold.add(began.elapsed());
    }
    untold.print("a rotated token and key, on all of 3 pods (required: within 2 minutes)", None);
    let mut asked = Times::default();
    for n in 0..count(5, 20) {
        let began = Instant::now();
        let (token, key) = rotate(200 + n);
        let annotation = format!("routing.hyperguild.io/requestedAt=request-{n}");
        policies.kubectl(&["annotate", "rp", "edge", "--overwrite", &annotation]);
        until_open(&tunnels, &token, &key, Duration::from_secs(120)).await;
        asked.add(began.elapsed());
    }
    assert!(asked.at(0.5) < TOLD, "no pod was notified: {:?}", asked.at(0.5));
    asked.print("the same with the policy annotated", Some(GOAL));
    for tunnel in &tunnels {
        let refused = Mcp::new(&tunnel.mcp()).token(&first).send("tools/list", json!({})).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "the old token");
    }
    assert_eq!(pods::generation(&policies, "edge").await, before, "no pod was replaced or restarted");
    setup::let_go("e2e-rotation");
}
