//! Streams of HTTP/2 that are reset: as soon as they are opened, or while their calls run (`tests/faults.toml`, row 43).

use futures::{StreamExt, stream};
use serde_json::json;
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    program::Program,
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

/// Calls at a time whose streams are reset: fewer than a connection may have.
const CALLS: usize = 100;
const ROUNDS: usize = 10;

async fn resets(port: u16) {
    let mut client = Client::open(port).await;
    for _ in 0..RESETS / CONNECTIONS / AT_ONCE {
        client.post_and_reset(AT_ONCE, &Tool::DEBUG.message()).await;
        client.is_answered(PING).await;
    }
}

async fn flood(port: u16) -> bool {
    let mut client = Client::open(port).await;
    client.post_and_reset(OF_A_FLOOD, &Tool::DEBUG.message()).await;
    client.told_to_calm_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_streams_that_are_reset_at_once_cost_no_other_call_its_answer_and_leave_nothing() {
    let models = Models::start().await;
    let policy = Policy::at(&models.url()).spec(json!({"limits": {"inFlight": 2000}}));
    let routing = Program::serve_policy(&policy).start().await;
    let (port, before) = (routing.ports.mcp, AtRest::of(&routing).await);
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(resets(port))).collect();
    let floods = tokio::spawn(async move {
        let told = stream::iter(0..FLOODS).map(|_| flood(port)).buffer_unordered(CONNECTIONS);
        told.collect::<Vec<bool>>().await
    });
    let load = Load::of(&routing.mcp_url());
    load.calls(0..OTHERS, 4, |number, got| {
        assert!(matches!(&got, Got::Result(result) if !result.is_error()), "call {number}: {got:?}");
    })
    .await;
    for client in clients {
        client.await.expect("it is not ended for what it has waited for");
    }
    let told = floods.await.expect("they end").into_iter().filter(|told| *told).count();
    println!("{told} of {FLOODS} floods were told to calm down");
    assert!(told > 0, "no flood was noticed");
    before.is_back(&routing).await;
    // A call that was cancelled before it reached the model has a record, too.
    let asked = models.asked().len();
    waiting::until_true("a record of each model call", || async { routing.recorded() >= asked }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_whose_streams_are_reset_are_cancelled_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let before = AtRest::of(&routing).await;
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
    }
    drop(client);
    before.is_back(&routing).await;
    routing.has_recorded(ROUNDS * CALLS).await;
    assert_eq!(routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await, 1000.0);
    waiting::until_true("the model to be left alone", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
}
