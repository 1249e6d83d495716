//! Far more calls at once than there is room for.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use serde_json::json;
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    program::{Program, Running},
    raw_http::Connection,
    stand_in::models::Models,
    waiting,
};

/// Calls at once.
const CALLS: usize = 10_000;
/// Requests that a connection of HTTP/2 carries at a time.
const EACH: usize = 200;
/// So few descriptors that calls use them up.
const DESCRIPTORS: u32 = 200;
/// More calls at once than that.
const TOO_MANY: usize = 2 * EACH;
/// What is logged of a connection that cannot be accepted.
const NOT_ACCEPTED: &str = "a connection could not be accepted";
/// Connections that wait to be accepted: fewer than one address may have.
const WAITING: usize = 10;
/// So often it is tried to accept them before there is room.
const TRIED: usize = 5;

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

/// The next call is answered, each model call has one record, and nothing is left of the storm.
async fn recovered(routing: &Running, before: AtRest, model_calls: usize) {
    assert!(!routing.mcp().debug("afterwards").await.is_error());
    routing.has_recorded(model_calls + 1).await;
    before.is_back(routing).await;
}

/// Calls that asked their model, or could not: each has a record.
fn attempts(kinds: &BTreeMap<&'static str, usize>) -> usize {
    ["answered", "failed"].iter().filter_map(|kind| kinds.get(kind)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_at_once_have_one_answer_each_and_descriptors_come_back() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("takes-a-second")).start().await;
    let before = AtRest::of(&routing).await;
    let kinds = storm(&routing, CALLS).await;
    println!("{kinds:?}, peak {} MiB", routing.peak_mib());
    assert_eq!(kinds.values().sum::<usize>(), CALLS);
    assert!(kinds["answered"] >= 256, "as many as there is room for: {kinds:?}");
    recovered(&routing, before, models.asked().len()).await;
}

/// A data plane whose calls go to this model of Claude's, one connection each, until there is no descriptor left.
async fn with_few_descriptors(models: &Models, claude: &str) -> Running {
    let skills = json!([{"name": "debug", "route": "Claude"}]);
    let policy = Policy::at(&models.url()).claude(claude);
    let policy = policy.spec(json!({"skills": skills, "limits": {"inFlight": 2000}}));
    Program::serve_policy(&policy).with_descriptors(DESCRIPTORS).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_which_there_are_no_descriptors_fail_with_one_answer_each_and_others_follow() {
    let models = Models::start().await;
    let routing = with_few_descriptors(&models, "takes-a-second").await;
    let before = AtRest::of(&routing).await;
    let kinds = storm(&routing, 2000).await;
    println!("{kinds:?}, peak {} MiB", routing.peak_mib());
    assert!(kinds.contains_key("answered") && kinds.contains_key("failed"), "{kinds:?}");
    // The admin port has descriptors of its own.
    assert_eq!(routing.admin("/livez").await, "alive\n");
    recovered(&routing, before, attempts(&kinds)).await;
}

/// Connections that wait to be accepted while there is no descriptor for them. If there are a few left, or some become free
/// meanwhile, the first of them take those.
async fn waiting_in_vain(routing: &Running) -> Vec<Connection> {
    let all_but_few = || std::future::ready(routing.held().descriptors + WAITING / 2 >= DESCRIPTORS as usize);
    waiting::until_true("hardly a descriptor to be left", all_but_few).await;
    let mut connections = vec![];
    for _ in 0..WAITING {
        let mut connection = Connection::open(routing.ports.mcp).await;
        connection.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
        connections.push(connection);
    }
    connections
}

async fn is_tried_once_a_second(routing: &Running) {
    let tried = || routing.log().matches(NOT_ACCEPTED).count();
    let (before, began) = (tried(), Instant::now());
    waiting::until_true("it to be tried", || std::future::ready(tried() >= before + TRIED)).await;
    let (tried, took) = (tried() - before, began.elapsed());
    println!("tried {tried} times in {took:?}");
    assert!(tried as u64 <= took.as_secs() + 1, "tried {tried} times in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_for_which_there_is_no_descriptor_are_tried_once_a_second_and_served_when_there_are_some() {
    let models = Models::start().await;
    let routing = with_few_descriptors(&models, "waits").await;
    let (before, ended) = (AtRest::of(&routing).await, AtomicBool::new(false));
    let calls = async {
        let kinds = storm(&routing, TOO_MANY).await;
        ended.store(true, Ordering::Relaxed);
        kinds
    };
    let others = async {
        let connections = waiting_in_vain(&routing).await;
        is_tried_once_a_second(&routing).await;
        // One that has arrived may not wait yet.
        waiting::until_true("the calls to end", || async {
            models.release();
            ended.load(Ordering::Relaxed)
        })
        .await;
        connections
    };
    let (kinds, connections) = tokio::join!(calls, others);
    println!("{kinds:?}");
    assert!(kinds.contains_key("answered") && kinds.contains_key("failed"), "{kinds:?}");
    drop(models);
    for mut connection in connections {
        let answer = connection.only_answer("one that waited").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    }
    routing.has_recorded(attempts(&kinds)).await;
    before.is_back(&routing).await;
}
