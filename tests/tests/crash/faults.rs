//! A Postgres database that fails for a while: a sentence that says what to do, `/healthz` too, and nothing is lost.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};
use tests::{
    Policy,
    calls::{self, CALLS},
    get_json, http,
    load::{Got, Load},
    postgres::{PASSWORD, Postgres},
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// Calls at a time.
const AT_A_TIME: usize = 50;
const LOCK: &str = "BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
const IS_LOCKED: &str = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'entries'::regclass \
     AND mode = 'AccessExclusiveLock' AND granted";
const UNLOCK: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' \
     AND pid <> pg_backend_pid()";

pub async fn report(brain: &Running) -> (bool, String) {
    let result = brain.mcp().result("session_log", json!({"skill": "debug", "final_status": "pass"})).await;
    (!result.is_error(), result.text(0).to_string())
}

pub async fn healthz(brain: &Running) -> (u16, String) {
    let answer = http().get(format!("{}/healthz", brain.base_url())).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// While the fault is there.
pub async fn refused(brain: &Running, cure: &str) {
    let (logged, said) = report(brain).await;
    assert!(!logged && said.starts_with("nothing was logged: ") && said.contains(cure), "{said}");
    let (status, health) = healthz(brain).await;
    assert!(status == 503 && health.contains(cure) && health.lines().count() == 1, "{status} {health}");
    assert!(!said.contains(PASSWORD) && !health.contains(PASSWORD), "{said} {health}");
    println!("{said}");
}

/// Once it is over: as many entries as were acknowledged.
pub async fn over(brain: &Running, acknowledged: u64) {
    waiting::until_true("an entry to be written", || async { report(brain).await.0 }).await;
    waiting::until_true("health", || async { healthz(brain).await.0 == 200 }).await;
    let rate: Value = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await;
    assert_eq!((&rate["total"], &rate["pass"]), (&json!(acknowledged), &json!(acknowledged)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_read_only_locked_or_without_rights_says_so_and_loses_nothing() {
    let server = Arc::new(Postgres::start().await);
    let sql = |statement: &str| server.sql("postgres", statement);
    let _ = sql(&format!("CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'"));
    let _ = sql("GRANT CREATE, USAGE ON SCHEMA public TO plain");
    let url = server.url("postgres").replace("//brain:", "//plain:");
    let brain = Program::brain().variable("BRAIN_DATABASE_URL", &url).start().await;
    waiting::until_true("the database", || async { healthz(&brain).await.0 == 200 }).await;
    assert!(report(&brain).await.0);

    let _ = sql("ALTER SYSTEM SET default_transaction_read_only = on");
    let _ = sql("SELECT pg_reload_conf()");
    waiting::until_true("the setting", || async { sql("SHOW default_transaction_read_only") == "on" }).await;
    waiting::until_true("the server's sessions to have it", || async { !report(&brain).await.0 }).await;
    let written = get_json(format!("{}/pass-rate?skill=debug", brain.base_url())).await["total"].as_u64();
    refused(&brain, "it is read-only: name the primary in BRAIN_DATABASE_URL, or make it writable").await;
    let _ = sql("ALTER SYSTEM RESET default_transaction_read_only");
    let _ = sql("SELECT pg_reload_conf()");
    let mut acknowledged = written.expect("a number") + 1;
    over(&brain, acknowledged).await;

    let _ = sql("REVOKE INSERT ON entries FROM plain");
    refused(&brain, "grant CREATE on its schema and SELECT, INSERT, UPDATE and DELETE on all tables").await;
    let _ = sql("GRANT INSERT ON entries TO plain");
    acknowledged += 1;
    over(&brain, acknowledged).await;

    let locking = Arc::clone(&server);
    let locked = std::thread::spawn(move || locking.sql("postgres", LOCK));
    waiting::until_true("the lock", || async { sql(IS_LOCKED) == "1" }).await;
    refused(&brain, "another session holds a lock on its tables: end that one").await;
    let _ = sql(UNLOCK);
    assert!(locked.join().is_err(), "it was ended");
    acknowledged += 1;
    over(&brain, acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_character_0_in_an_address_or_a_body_is_refused_on_postgres_too() {
    let server = Postgres::start().await;
    let postgres = Program::brain().variable("BRAIN_DATABASE_URL", &server.url("postgres")).start().await;
    for brain in [postgres, Program::brain().start().await] {
        assert!(report(&brain).await.0);
        for path in [
            "/pass-rate?skill=a%00",
            "/pass-rate?skill=debug&local=%00",
            "/sessions/a%00b",
            "/outcomes?skill=%00",
            "/decisions?id=%00",
            "/decisions?call=%00",
            "/evidence?skill=%00",
            "/api/v1/decisions?caller=%00",
            "/api/v1/decisions?before=1_%00",
            "/api/v1/reviews?decision=%00",
        ] {
            let answer = http().get(format!("{}{path}", brain.base_url())).send().await.expect("an answer");
            let (status, said) = (answer.status(), answer.text().await.expect("text"));
            assert!(
                status == 400 && said.contains("contains the character U+0000; remove it"),
                "{path}: {status} {said}"
            );
        }
        for (path, body) in [
            ("/evidence/reset", r#"{"skill": "debug", "model": "a\u0000"}"#),
            ("/evidence/reset", r#"{"skill": "\u0000"}"#),
            ("/api/v1/verdicts", r#"{"decision": "a\u0000", "verdict": "right"}"#),
        ] {
            let post = http().post(format!("{}{path}", brain.base_url())).header("content-type", "application/json");
            assert_eq!(post.body(body).send().await.expect("an answer").status(), 400, "{path} {body}");
        }
    }
}

/// A thousand calls, from this number on, are answered whatever their brain does.
async fn are_answered(routing: &Running, from: usize) {
    let (began, mut answered) = (Instant::now(), 0);
    let each = |number: usize, got: Got| {
        assert!(matches!(&got, Got::Result(result) if !result.is_error()), "call {number}: {got:?}");
        answered += 1;
    };
    Load::of(&routing.mcp_url()).calls(from..from + CALLS, AT_A_TIME, each).await;
    assert_eq!(answered, CALLS);
    calls::print(&format!("calls from {from} on"), CALLS, began);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_sends_whole_records_again_once_its_brain_can_write() {
    let server = Postgres::start().await;
    let _ = server.sql("postgres", &format!("CREATE ROLE plain LOGIN PASSWORD '{PASSWORD}'"));
    let _ = server.sql("postgres", "GRANT CREATE, USAGE ON SCHEMA public TO plain");
    let url = server.url("postgres").replace("//brain:", "//plain:");
    let brain = Program::brain().variable("BRAIN_DATABASE_URL", &url).start().await;
    waiting::until_true("the database", || async { healthz(&brain).await.0 == 200 }).await;
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).start().await;
    let there = || server.sql("postgres", "SELECT COUNT(*) FROM decisions").parse::<f64>().expect("a number");
    let (lost, thousand) = (async || routing.decisions_not_logged().await, CALLS as f64);

    assert!(!routing.mcp().debug("x").await.is_error());
    waiting::until_true("the first record", || async { there() == 1.0 }).await;
    let _ = server.sql("postgres", "REVOKE INSERT ON decisions FROM plain");
    are_answered(&routing, 0).await;
    waiting::until_true("each loss to be counted", || async { lost().await >= thousand }).await;
    assert_eq!((lost().await, there()), (thousand, 1.0), "counted once, and none is there");
    assert!(routing.metric(r#"routing_decision_log_dropped_total{kind="failed"}"#).await > 0.0);
    let _ = server.sql("postgres", "GRANT INSERT ON decisions TO plain");
    are_answered(&routing, CALLS).await;
    // On a busy machine one may be given up and be there all the same.
    waiting::until_true("each record again", || async { there() - 1.0 + lost().await >= 2.0 * thousand }).await;
    println!("{} of them are there, and {} are counted as lost", there(), lost().await);
    assert!(there() > thousand / 2.0, "they are written again");
}
