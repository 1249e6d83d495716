//! Two brains on one Postgres and three data planes: a brain and every process of the database killed under calls.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{checkout, http, mcp::Mcp, policies::Policies, waiting};

use crate::{
    load::{Load, Plan},
    pods,
    setup::{self, BRAIN_TOKEN, count, spec},
    tunnel::Tunnel,
};

const NAMESPACE: &str = "e2e-postgres";
/// The brains' port on every node.
const BRAIN_PORT: u16 = 30332;
/// The data planes'.
const MCP_PORT: u16 = 30351;
const PASSWORD: &str = "password-of-a-test";
const PER_SECOND: u32 = 20;

/// A namespace with a database and the Secrets of a policy.
async fn prepared() -> Policies {
    let policies = setup::prepared(NAMESPACE).await;
    let url = format!("postgres://brain:{PASSWORD}@postgres.{NAMESPACE}:5432/postgres");
    setup::secret(NAMESPACE, "postgres", &[("PASSWORD", PASSWORD), ("URL", &url)]);
    setup::secret(NAMESPACE, "brain", &[("TOKEN", BRAIN_TOKEN)]);
    let file = checkout().join("tests/tests/e2e/postgres.yaml");
    policies.kubectl(&["apply", "-f", &file.display().to_string()]);
    setup::rolled_out(NAMESPACE, "postgres");
    policies
}

fn policy() -> Value {
    let managed = json!({"tokenSecretRef": {"name": "brain", "key": "TOKEN"}, "replicas": 2, "nodePort": BRAIN_PORT,
        "databaseURLSecretRef": {"name": "postgres", "key": "URL"}});
    spec(json!({"brain": {"managed": managed}, "evidence": {"ttl": "1s"}, "dataPlane": {"replicas": 3},
        "service": {"nodePort": MCP_PORT}}))
}

/// What the database itself says.
fn sql(policies: &Policies, statement: &str) -> String {
    let psql = format!("PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U brain -d postgres -At -c '{statement}'");
    policies.kubectl(&["exec", "deployment/postgres", "--", "sh", "-c", &psql]).trim().to_string()
}

/// Decisions that the brains report; none while they do not answer.
async fn decisions() -> Option<u64> {
    let url = format!("http://{}:{BRAIN_PORT}/api/v1/report", setup::node_address().await);
    let answer = http().get(url).bearer_auth(BRAIN_TOKEN).send().await.ok()?;
    answer.error_for_status().ok()?.json::<Value>().await.ok()?["total"]["calls"].as_u64()
}

/// Waits until the brains have so many decisions more.
async fn until_more(more: u64) {
    let before = waiting::until("a report", decisions).await;
    waiting::until_true_within(setup::PODS_LIMIT, "decisions to arrive", || async {
        decisions().await.is_some_and(|now| now >= before + more)
    })
    .await;
}

/// Decisions that this data plane could not deliver, or of which it does not know.
async fn dropped(tunnel: &Tunnel) -> u64 {
    let metrics = tunnel.admin_page("/metrics").await;
    let values = metrics.lines().filter(|line| line.starts_with("routing_decision_log_dropped_total{"));
    values.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number")).sum()
}

async fn pass_rate(tunnel: &Tunnel) -> Value {
    let status = tunnel.status().await;
    let skills = status["skills"].as_array().expect("skills");
    skills.iter().find(|skill| skill["name"] == "debug").expect("it")["passRate"].clone()
}

#[tokio::test]
async fn two_brains_on_postgres_serve_three_data_planes_and_a_kill_of_either_loses_no_call_and_no_decision_that_was_taken()
 {
    let policies = prepared().await;
    policies.apply("edge", &policy());
    policies.wait_for_condition("edge", "BrainReady", "True", "BrainReady").await;
    let url = setup::served(&policies, "edge").await;
    let claims = policies.kubectl(&["get", "pvc", "--output=name"]);
    assert_eq!(claims, "", "on Postgres a brain needs no claim");
    let tunnels = pods::tunnels(&policies, "edge").await;
    assert_eq!(tunnels.len(), 3);

    let plan = Plan { port: MCP_PORT, token: None, per_second: PER_SECOND, slow_one_in: 0, slow: Duration::ZERO };
    let load = Load::start(plan);
    let rounds = count(1, 5);
    for round in 0..rounds {
        until_more(100).await;
        let brains = policies.kubectl(&["get", "pods", "-l", "app.kubernetes.io/name=routing-brain", "--output=name"]);
        let brain = brains.lines().next().expect("a brain");
        policies.kubectl(&["delete", brain, "--grace-period=0", "--force"]);
        until_more(100).await;
        setup::rolled_out(NAMESPACE, "edge-brain");
        // All but its first process, which then recovers what was written, as after a crash.
        policies.kubectl(&["exec", "deployment/postgres", "--", "sh", "-c", "kill -9 -1"]);
        until_more(100).await;
        let log = policies.kubectl(&["logs", "deployment/postgres"]);
        assert_eq!(log.matches("all server processes terminated; reinitializing").count(), round + 1, "{log}");
        println!("  a brain and the database killed, {} of {rounds}: {} failed so far", round + 1, load.failures());
    }
    let report = load.end();
    println!("{}", report.line());
    report.expect_no_failure();

    let dropped: u64 = join_all(tunnels.iter().map(dropped)).await.into_iter().sum();
    println!("  {} calls, {dropped} decisions not delivered", report.sent);
    waiting::until_true("every delivered decision", || async {
        decisions().await.is_some_and(|known| known + dropped >= report.sent)
    })
    .await;
    let stored = sql(&policies, "SELECT count(*), count(DISTINCT id) FROM decisions");
    let stored: Vec<u64> = stored.split('|').map(|number| number.parse().expect("a number")).collect();
    assert!(stored[0] == stored[1] && stored[0] <= report.sent && stored[0] + dropped >= report.sent, "{stored:?}");

    let decision = Mcp::new(&url).debug("x").await.decisions("id").remove(0);
    let brain = Mcp::new(&format!("http://{}:{BRAIN_PORT}/mcp", setup::node_address().await)).token(BRAIN_TOKEN);
    let said = json!({"skill": "debug", "phase": "outcome", "final_status": "fail", "decision_id": decision});
    assert!(!brain.result("session_log", said).await.is_error());
    waiting::until_true("each data plane to know it", || async {
        // An answer of each asks for its rate.
        for tunnel in &tunnels {
            Mcp::new(&tunnel.mcp()).debug("y").await;
        }
        join_all(tunnels.iter().map(pass_rate)).await.iter().all(|rate| *rate == json!(0.0))
    })
    .await;
    setup::let_go(NAMESPACE);
}
