//! Far more calls at once than there is room for.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{
    Policy,
    load::{Got, Load},
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// Calls at once.
const CALLS: usize = 10_000;
/// Requests that a connection of HTTP/2 carries at a time.
const EACH: usize = 200;
/// So few descriptors that calls use them up.
const DESCRIPTORS: u32 = 200;

/// Makes all calls at once, and returns how many got each kind of answer.
async fn storm(routing: &Running, calls: usize) -> BTreeMap<&'static str, usize> {
    let connections = (0..calls / EACH).map(|connection| {
        let load = Load::over_one_connection(&routing.mcp_url());
        tokio::spawn(async move {
            let mut got = vec![];
            load.calls(connection * EACH..(connection + 1) * EACH, EACH, |number, answer| got.push((number, answer)))
                .await;
            got
        })
    });
    let mut kinds = BTreeMap::new();
    for connection in connections.collect::<Vec<_>>() {
        for (number, got) in connection.await.expect("ends") {
            *kinds.entry(kind(number, &got)).or_insert(0) += 1;
        }
    }
    kinds
}

fn kind(number: usize, got: &Got) -> &'static str {
    match got {
        Got::Result(result) if !result.is_error() => "answered",
        Got::Result(result) if result.text(0).contains("limits.inFlight") => "busy",
        Got::Result(result) if result.text(0).contains("debug has no answer: claude (") => "failed",
        Got::Refused(503, _) => "no room for its body",
        other => panic!("call {number}: {other:?}"),
    }
}

/// It works on nothing, its connections have ended, and the next call is answered.
async fn recovered(routing: &Running) {
    waiting::until_true("descriptors to come back", || async { routing.held().descriptors < 64 }).await;
    assert_eq!(routing.metric("routing_in_flight_calls").await, 0.0);
    assert!(!routing.mcp().debug("afterwards").await.is_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_at_once_have_one_answer_each_and_descriptors_come_back() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("takes-a-second")).start().await;
    let kinds = storm(&routing, CALLS).await;
    println!("{kinds:?}, peak {} MiB", routing.peak_mib());
    assert_eq!(kinds.values().sum::<usize>(), CALLS);
    assert!(kinds["answered"] >= 256, "as many as there is room for: {kinds:?}");
    recovered(&routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_which_there_are_no_descriptors_fail_with_one_answer_each_and_others_follow() {
    let models = Models::start().await;
    let skills = json!([{"name": "debug", "route": "Claude"}]);
    let policy = Policy::at(&models.url()).claude("takes-a-second");
    let policy = policy.spec(json!({"skills": skills, "limits": {"inFlight": 2000}}));
    let routing = Program::serve_policy(&policy).with_descriptors(DESCRIPTORS).start().await;
    let kinds = storm(&routing, 2000).await;
    println!("{kinds:?}, peak {} MiB", routing.peak_mib());
    assert!(kinds.contains_key("answered") && kinds.contains_key("failed"), "{kinds:?}");
    // The admin port has descriptors of its own.
    assert_eq!(routing.admin("/livez").await, "alive\n");
    let processor = routing.processor_time();
    recovered(&routing).await;
    println!("processor time {processor:?}");
}
