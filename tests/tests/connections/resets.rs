//! Streams of HTTP/2 that are reset: as soon as they are opened, or while their calls run (`tests/faults.toml`, row 43).

use futures::{StreamExt, stream};
use serde_json::json;
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    program::Program,
    recorded,
    stand_in::models::Models,
    waiting,
    wrong_requests::Tool,
};

use super::http2::Client;

/// Streams that are reset as soon as they are opened.
const RESETS: usize = 10_000;
/// By so many connections at a time.
const CONNECTIONS: usize = 5;
/// Streams until the client waits for the server to begin with them: of more at a time it thinks that they are an attack.
const AT_ONCE: usize = 20;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
/// Connections that wait for nothing.
const FLOODS: usize = 50;
/// Their streams.
const OF_A_FLOOD: usize = 100;
/// Calls of others meanwhile.
const OTHERS: usize = 200;
/// Each call has a number of its own: first those of the streams that are reset, then those of the floods, then these.
const FIRST_OF_FLOODS: usize = RESETS;
const FIRST_OF_OTHERS: usize = FIRST_OF_FLOODS + FLOODS * OF_A_FLOOD;

/// Calls at a time whose streams are reset: fewer than a connection may have.
const CALLS: usize = 100;
const ROUNDS: usize = 10;
/// After so many, memory has been taken that is kept.
const FIRST_ROUNDS: usize = 2;

/// So many calls, from this number on.
fn calls(first: usize, count: usize) -> impl Iterator<Item = String> {
    (first..first + count).map(|number| recorded::call(number).to_string())
}

async fn resets(port: u16, first: usize) {
    let mut client = Client::open(port).await;
    for first in (first..first + RESETS / CONNECTIONS).step_by(AT_ONCE) {
        client.post_and_reset(calls(first, AT_ONCE)).await;
        client.is_answered(PING).await;
    }
}

async fn flood(port: u16, first: usize) -> bool {
    let mut client = Client::open(port).await;
    client.post_and_reset(calls(first, OF_A_FLOOD)).await;
    client.told_to_calm_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_streams_that_are_reset_at_once_cost_no_other_call_its_answer_and_leave_nothing() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).spec(json!({"limits": {"inFlight": 2000}}));
    let routing = Program::serve_policy(&policy).start().await;
    let (port, before) = (routing.ports.mcp, AtRest::of(&routing).await);
    let clients: Vec<_> =
        (0..RESETS).step_by(RESETS / CONNECTIONS).map(|first| tokio::spawn(resets(port, first))).collect();
    let floods = tokio::spawn(async move {
        let firsts = (FIRST_OF_FLOODS..FIRST_OF_OTHERS).step_by(OF_A_FLOOD);
        let told = stream::iter(firsts).map(|first| flood(port, first)).buffer_unordered(CONNECTIONS);
        told.collect::<Vec<bool>>().await
    });
    let load = Load::of(&routing.mcp_url()).recorded();
    load.calls(FIRST_OF_OTHERS..FIRST_OF_OTHERS + OTHERS, 4, |number, got| {
        assert!(matches!(&got, Got::Result(result) if !result.is_error()), "call {number}: {got:?}");
    })
    .await;
    drop(load);
    for client in clients {
        client.await.expect("it is not ended for what it has waited for");
    }
    let told = floods.await.expect("they end").into_iter().filter(|told| *told).count();
    println!("{told} of {FLOODS} floods were told to calm down");
    assert!(told > 0, "no flood was noticed");
    before.is_back(&routing).await;
    // A call that was cancelled before it reached the model has a record, too.
    recorded::once_each(&routing, &models).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_whose_streams_are_reset_are_cancelled_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let mut before = AtRest::of(&routing).await;
    let mut client = Client::open(routing.ports.mcp).await;
    for round in 1..=ROUNDS {
        let mut streams = vec![];
        for _ in 0..CALLS {
            streams.push(client.post(&Tool::DEBUG.message()).await);
        }
        waiting::until_true("the model calls", || async { models.asked().len() == round * CALLS }).await;
        for stream in streams {
            client.reset(stream).await;
        }
        let ended = || async { routing.metric("routing_in_flight_calls").await == 0.0 };
        waiting::until_true("the calls to end", ended).await;
        if round == FIRST_ROUNDS {
            before = before.warm(&routing).await;
        }
    }
    drop(client);
    before.is_back(&routing).await;
    routing.has_recorded(ROUNDS * CALLS).await;
    assert_eq!(routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await, 1000.0);
    waiting::until_true("the model to be left alone", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
}
