//! Ten thousand notifications during calls: of progress, which only servers make, and of cancellations of calls that do not
//! exist, of others' calls, and of the same calls again and again (`tests/faults.toml`, row 44).

use std::{ops::Range, time::Instant};

use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    calls::{self, CALLS},
    program::{Program, Running},
    raw_http::{Answer, Connection},
    stand_in::models::Models,
    waiting,
};
use tokio::task::JoinHandle;

/// Calls at a time; their ids are the numbers from 0 on, and go on with the next ones.
const AT_A_TIME: usize = 200;
/// Notifications that nothing comes of, for each call.
const UNHEEDED: usize = 10;
/// Cancellations of each call.
const TIMES: usize = 10;
/// Connections of the flood.
const CONNECTIONS: usize = 8;
const MINE: Option<&str> = Some("mine");

/// The bytes of a message in a session.
fn post(session: Option<&str>, message: &Value) -> String {
    let session = session.map(|name| format!("mcp-session-id: {name}\r\n")).unwrap_or_default();
    let (head, body) = ("POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n", message.to_string());
    format!("{head}{session}content-length: {}\r\n\r\n{body}", body.len())
}

fn call(id: usize) -> String {
    let arguments = json!({"project_root": "/tmp", "problem": id.to_string()});
    let params = json!({"name": "debug", "arguments": arguments, "_meta": {"progressToken": id}});
    post(MINE, &json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
}

fn cancelled(session: Option<&str>, id: usize) -> String {
    post(session, &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}))
}

fn progress(token: usize) -> String {
    let params = json!({"progressToken": token, "progress": 1, "total": 2});
    post(MINE, &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

/// Unknown calls, and known ones in another session or in none.
fn unheeded(number: usize) -> String {
    let (known, unknown) = (number / UNHEEDED, CALLS + number);
    match number % 5 {
        0 => cancelled(MINE, unknown),
        1 => cancelled(Some("another"), known),
        2 => cancelled(None, known),
        3 => progress(unknown),
        _ => progress(known),
    }
}

async fn are_accepted(port: u16, notifications: Vec<String>) {
    let mut connection = Connection::open(port).await;
    for notification in notifications {
        connection.send(notification.as_bytes()).await;
        let answer = connection.only_answer("a notification").await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    }
}

/// Sends them over several connections, in their order over each.
async fn flood(port: u16, notifications: impl Iterator<Item = String>) {
    let notifications: Vec<String> = notifications.collect();
    let parts = notifications.chunks(notifications.len().div_ceil(CONNECTIONS));
    let clients: Vec<_> = parts.map(|part| tokio::spawn(are_accepted(port, part.to_vec()))).collect();
    for client in clients {
        client.await.expect("each is accepted");
    }
}

/// The ids of calls that are made at a time.
fn rounds() -> impl Iterator<Item = Range<usize>> {
    (0..CALLS).step_by(AT_A_TIME).map(|first| first..first + AT_A_TIME)
}

/// Calls that are with the model.
async fn made(routing: &Running, models: &Models, ids: &Range<usize>) -> Vec<JoinHandle<Answer>> {
    let port = routing.ports.mcp;
    let answer = |id| async move {
        let mut connection = Connection::open(port).await;
        connection.send(call(id).as_bytes()).await;
        connection.only_answer("a call").await
    };
    let calls = ids.clone().map(|id| tokio::spawn(answer(id))).collect();
    waiting::until_true("the model calls", || async { models.asked().len() == ids.end }).await;
    calls
}

/// Each call has one answer, with its id; the rest of it is handed over.
async fn answers(ids: Range<usize>, calls: Vec<JoinHandle<Answer>>, check: impl Fn(&Value)) {
    for (id, call) in ids.zip(calls) {
        let answer = call.await.expect("an answer");
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        assert_eq!((answer.status, &body["id"]), (200, &json!(id)), "{answer:?}");
        check(&body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_notifications_that_nothing_comes_of_cost_no_call_its_answer_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("waits")).start().await;
    let (before, began) = (AtRest::of(&routing).await, Instant::now());
    for ids in rounds() {
        let calls = made(&routing, &models, &ids).await;
        flood(routing.ports.mcp, (ids.start * UNHEEDED..ids.end * UNHEEDED).map(unheeded)).await;
        assert_eq!(routing.metric("routing_in_flight_calls").await, AT_A_TIME as f64, "all go on");
        // One that has arrived may not wait yet.
        waiting::until_true("all answers", || async {
            models.release();
            calls.iter().all(JoinHandle::is_finished)
        })
        .await;
        answers(ids, calls, |body| assert_eq!(body["result"]["isError"], json!(false), "{body}")).await;
    }
    calls::print("notifications that nothing comes of", CALLS, began);
    routing.has_recorded(CALLS).await;
    before.is_back(&routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_cancelled_ten_times_each_have_one_error_each_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("hangs")).start().await;
    let (before, began) = (AtRest::of(&routing).await, Instant::now());
    for ids in rounds() {
        let calls = made(&routing, &models, &ids).await;
        let again_and_again = (ids.start * TIMES..ids.end * TIMES).map(|number| cancelled(MINE, number / TIMES));
        flood(routing.ports.mcp, again_and_again).await;
        answers(ids, calls, |body| assert_eq!(body["error"]["code"], json!(-32003), "{body}")).await;
    }
    calls::print("cancelled ten times", CALLS, began);
    assert_eq!(routing.metric(r#"routing_calls_total{skill="debug",result="cancelled"}"#).await, CALLS as f64);
    routing.has_recorded(CALLS).await;
    before.is_back(&routing).await;
}
