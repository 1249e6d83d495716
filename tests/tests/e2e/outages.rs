//! What happens while a part is down, and after it is back.
//!
//! Where another Service loses or gets its pods, calls go to the pod itself: while kube-proxy rewrites its rules, a
//! node may refuse a connection to any of its ports, and these tests are about what the pod decides.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    mcp::{CallResult, Mcp},
    policies::condition,
    waiting,
};

use crate::{
    load::{Load, Plan},
    pods,
    setup::{self, Away, BRAIN_TOKEN, count, spec},
    tunnel::Tunnel,
};

async fn answered(url: &str) -> CallResult {
    let result = Mcp::new(url).debug("call-3").await;
    assert!(!result.is_error() && result.text(0).contains("call-3"), "{result:?}");
    result
}

#[tokio::test]
async fn without_the_operator_pods_serve_and_come_back_and_with_it_all_converges() {
    let policies = setup::prepared("e2e-operator-away").await;
    policies.apply("edge", &spec(json!({})));
    let url = setup::served(&policies, "edge").await;
    let before = policies.get("edge").await.status.expect("a status");
    let operator = Away::take("routing-system", "routing-operator").await;
    answered(&url).await;
    let old = pods::generation(&policies, "edge").await;
    let pod = old.keys().next().expect("a pod");
    policies.kubectl(&["delete", "pod", pod, "--wait=false"]);
    let new = waiting::until("another pod", || async {
        pods::generation(&policies, "edge").await.into_keys().find(|name| !old.contains_key(name))
    })
    .await;
    policies.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{new}"), "--timeout=180s"]);
    let tunnel = Tunnel::to_pod(&policies.namespace, &new);
    assert_eq!(tunnel.status().await["configHash"].as_str(), before.config_hash.as_deref());
    answered(&url).await;
    policies.apply("edge", &spec(json!({"limits": {"inFlight": 77}, "dataPlane": {"replicas": 2}})));
    policies.kubectl(&["delete", "service", "edge"]);
    operator.back().await;
    let after = policies.wait_until_ready("edge").await;
    assert_ne!(after.config_hash, before.config_hash);
    assert_eq!(after.replicas.map(|replicas| replicas.programmed), Some(2));
    assert!(policies.object("Service", "edge").await.is_some());
    setup::let_go("e2e-operator-away");
}

#[tokio::test]
async fn without_the_api_server_no_call_fails_and_afterwards_all_converges() {
    if !setup::is_own_cluster() {
        println!("skipped: only the API server of the cluster of `make cluster` can be stopped");
        return;
    }
    let policies = setup::prepared("e2e-api-away").await;
    const NODE_PORT: u16 = 30351;
    let with = |replicas: u32, limits: Value| {
        spec(json!({"service": {"nodePort": NODE_PORT}, "dataPlane": {"replicas": replicas}, "limits": limits}))
    };
    policies.apply("edge", &with(2, Value::Null));
    setup::served(&policies, "edge").await;
    let before = policies.get("edge").await.status.expect("a status");
    let pods_before = pods::generation(&policies, "edge").await;
    let load = Load::start(Plan {
        port: NODE_PORT,
        token: None,
        per_second: 20,
        slow_one_in: 20,
        slow: Duration::from_secs(5),
    });
    setup::part("stop", "apiserver");
    // The outage itself.
    tokio::time::sleep(Duration::from_secs(count(20, 60))).await;
    setup::part("start", "apiserver");
    let back = Instant::now();
    policies.apply("edge", &with(2, json!({"inFlight": 78})));
    let after = policies.wait_until_ready("edge").await;
    println!(
        "API server down for {} s; a change is on all pods {:.0?} after it is back",
        count(20, 60),
        back.elapsed()
    );
    let report = load.end();
    println!("meanwhile {}", report.line());
    report.expect_no_failure();
    assert_ne!(after.config_hash, before.config_hash);
    assert_eq!(pods::generation(&policies, "edge").await, pods_before);
    // Controllers and the kubelet recover later than the operator.
    policies.apply("edge", &with(1, Value::Null));
    pods::alone(&policies).await;
    println!("scaled down {:.0?} after it is back", back.elapsed());
    setup::let_go("e2e-api-away");
}

#[tokio::test]
async fn without_the_brain_calls_use_the_held_rate_and_then_none() {
    let policies = setup::prepared("e2e-brain-away").await;
    setup::brain().await;
    setup::secret("e2e-brain-away", "brain", &[("TOKEN", BRAIN_TOKEN)]);
    let skill = format!("held_{}", std::process::id());
    const HELD_MS: u64 = 40_000;
    policies.apply(
        "edge",
        &spec(json!({
            "brain": setup::brain_with_token_of("brain"),
            "evidence": {"ttl": "1s", "holdFor": format!("{HELD_MS}ms"), "window": "1h"},
            "skills": [setup::skill(&skill, json!({"text": "s"}))],
        })),
    );
    setup::served(&policies, "edge").await;
    setup::report(&skill, "fail").await;
    let tunnel = pods::tunnel(&policies, "edge").await;
    let decided = || async {
        let result = Mcp::new(&tunnel.mcp()).result(&skill, json!({})).await;
        assert!(!result.is_error(), "{result:?}");
        (result.decisions("decision").remove(0), result.decisions("passRate").remove(0))
    };
    let rate = |pair: (Value, Value)| (pair.0.as_str().map(str::to_string), pair.1.as_f64());
    let claude = (Some("claude".to_string()), Some(0.0));
    waiting::until_true("the report to count", || async { rate(decided().await) == claude }).await;
    let brain = Away::leave("supervisor", "brain");
    let local = (Some("local".to_string()), None);
    let oldest = AtomicU64::new(0);
    waiting::until_true_within(setup::PODS_LIMIT, "the held rate to end", || async {
        let now = rate(decided().await);
        if now == local {
            return true;
        }
        assert_eq!(now, claude, "the last rate is held");
        let age = tunnel.status().await["skills"][0]["evidenceAgeMs"].as_u64();
        oldest.fetch_max(age.unwrap_or_default(), Ordering::Relaxed);
        false
    })
    .await;
    let oldest = oldest.into_inner();
    assert!((HELD_MS / 2..=HELD_MS).contains(&oldest), "of {HELD_MS} ms, the rate was held for {oldest} ms");
    brain.back().await;
    waiting::until_true("the rate to be known again", || async { rate(decided().await) == claude }).await;
    setup::let_go("e2e-brain-away");
}

#[tokio::test]
async fn without_litellm_each_call_gets_one_error_that_names_both_attempts() {
    let policies = setup::prepared("e2e-litellm-away").await;
    setup::secret("e2e-litellm-away", "keys", &[("KEY", "sk-test-master-key")]);
    policies.apply(
        "edge",
        &spec(json!({
            "upstream": {"url": "http://litellm.models:4000", "apiKeySecretRef": {"name": "keys", "key": "KEY"}},
            "models": {"local": {"name": "qwen35"}, "claude": {"name": "claude-sonnet-4-6"}},
        })),
    );
    setup::served(&policies, "edge").await;
    let tunnel = pods::tunnel(&policies, "edge").await;
    let url = tunnel.mcp();
    answered(&url).await;
    let litellm = Away::take("models", "litellm").await;
    for _ in 0..3 {
        let result = Mcp::new(&url).debug("call-4").await;
        assert!(result.is_error(), "{result:?}");
        assert!(
            result.text(0).contains("qwen35") && result.text(0).contains("claude-sonnet-4-6"),
            "{}",
            result.text(0)
        );
        assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")]);
    }
    let status = policies.get("edge").await.status.expect("a status");
    assert_eq!(condition(&status, "Ready").map(|ready| ready.status.as_str()), Some("True"), "without any model");
    litellm.back().await;
    // By then the local model may have failed five times in a row, and is tried again after 30 s, or after 60 s more.
    waiting::until_true_within(Duration::from_secs(180), "calls to be answered again", || async {
        let result = Mcp::new(&url).debug("call-5").await;
        result.text(0).contains("call-5") && result.decisions("decision") == [json!("local")]
    })
    .await;
    setup::let_go("e2e-litellm-away");
}

#[tokio::test]
async fn without_the_local_model_alone_calls_fall_back_to_claude() {
    let policies = setup::prepared("e2e-local-away").await;
    // A Service without pods stands for a model that is down.
    policies.apply_document(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "away"},
        "spec": {"selector": {"app": "away"}, "ports": [{"port": 4000}]}}));
    let away = json!({"upstream": {"url": "http://away.e2e-local-away:4000"}});
    policies.apply("edge", &spec(json!({"models": {"local": away}})));
    setup::served(&policies, "edge").await;
    let result = answered(&pods::tunnel(&policies, "edge").await.mcp()).await;
    assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")]);
    assert_eq!(result.decisions("model"), [json!("local"), json!("claude")]);
    setup::let_go("e2e-local-away");
}
