//! Callers that close their half of a connection after their request (`tests/faults.toml`, row 43). One that is gone does the
//! same, and nothing tells the two apart before something is sent. So both count as gone: a call that nobody waits for ends.

use futures::{StreamExt, future::join_all, stream};
use serde_json::Value;
use tests::{
    Policy, at_rest::AtRest, program::Program, raw_http::Connection, stand_in::models::Models, waiting,
    wrong_requests::Tool,
};

/// Calls at a time: fewer than one address may have connections where a process has 1024 descriptors.
const CALLS: usize = 200;
const ROUNDS: usize = 5;
/// Requests that are answered at once.
const QUICK: usize = 1000;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

async fn asked(port: u16, request: &str) -> Connection {
    let mut connection = Connection::open(port).await;
    connection.send(request.as_bytes()).await;
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_that_close_their_half_count_as_gone_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let (mut before, request) = (AtRest::of(&routing).await, Tool::DEBUG.right());
    for round in 1..=ROUNDS {
        let calls = join_all((0..CALLS).map(|_| asked(routing.ports.mcp, &request))).await;
        waiting::until_true("the model calls", || async { models.asked().len() == round * CALLS }).await;
        for call in calls {
            assert_eq!(call.rest_after_closing().await, "", "no part of an answer");
        }
        let ended = || async { routing.metric("routing_in_flight_calls").await == 0.0 };
        waiting::until_true("the calls to end", ended).await;
        if round == 1 {
            // Now memory has been taken that is kept.
            before = before.warm(&routing).await;
        }
    }
    before.is_back(&routing).await;
    routing.has_recorded(ROUNDS * CALLS).await;
    assert_eq!(routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await, 1000.0);
    waiting::until_true("the model to be left alone", || async { models.received().iter().all(|call| call.abandoned) })
        .await;
}

/// Whether there is an answer; then it is whole.
fn is_answered(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        assert_eq!(text, "", "half an answer");
        return false;
    };
    let answer: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(head.starts_with("HTTP/1.1 200") && answer["id"] == 1 && answer["result"].is_object(), "{text}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_sender_closes_its_half_at_once_has_a_whole_answer_or_none_and_leaves_nothing() {
    let routing = Program::serve().start().await;
    let before = AtRest::of(&routing).await;
    let request = format!("POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{PING}", PING.len());
    let text = |_| async { asked(routing.ports.mcp, &request).await.rest_after_closing().await };
    let texts: Vec<String> = stream::iter(0..QUICK).map(text).buffer_unordered(8).collect().await;
    let answered = texts.iter().filter(|text| is_answered(text)).count();
    println!("{answered} of {QUICK} were answered");
    assert!(!routing.mcp().tools().await.is_empty());
    before.is_back(&routing).await;
}
