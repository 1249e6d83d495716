//! Callers that ask for progress and read late or never while their calls last (`tests/faults.toml`, row 44): over HTTP/1
//! what is sent waits in the kernel, over HTTP/2 in the program, because the client makes no room for it. And callers that
//! never make room for the least answer, so that their connections would be at work for ever (row 43).

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    program::{Program, Running},
    raw_http::Connection,
    stand_in::models::Models,
    waiting,
};

use super::http2::Client;

/// Callers of each kind.
const CALLERS: usize = 25;
/// A thousand calls together.
const ROUNDS: usize = 20;
/// A call in a build without optimisation, with an answer of 42 KB that is not read.
const KIB_OF_A_CALL: u64 = 1024;

/// Descriptors of a process that may have 43 connections of one address.
const DESCRIPTORS: u32 = 300;
/// Connections without room for an answer: more than that.
const WITHOUT_ROOM: usize = 100;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

fn message(id: usize) -> String {
    let arguments = json!({"project_root": "/tmp", "problem": id.to_string()});
    let params = json!({"name": "debug", "arguments": arguments, "_meta": {"progressToken": id}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

/// Its answer ends the connection.
async fn asked(port: u16, id: usize) -> Connection {
    let (accept, body) = ("application/json, text/event-stream", message(id));
    let head = format!("POST /mcp HTTP/1.1\r\nhost: a\r\nconnection: close\r\naccept: {accept}\r\n");
    let mut connection = Connection::open(port).await;
    connection.send(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    connection
}

/// The body that was sent in chunks.
fn whole(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
    body
}

/// The stream has notifications of progress, and then the result, once.
fn is_whole(text: &str, id: usize) {
    let (head, chunks) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    let body = whole(chunks);
    let events = body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|event| !event.is_empty());
    let events: Vec<Value> = events.map(|event| serde_json::from_str(event).expect("JSON")).collect();
    let (last, progress) = events.split_last().expect("events");
    assert_eq!((&last["id"], &last["result"]["isError"]), (&json!(id), &json!(false)), "{last}");
    assert!(!progress.is_empty() && progress.iter().all(|event| event["method"] == "notifications/progress"));
}

/// Calls whose answers are read when all have ended, and as many whose answers are never read before their connection ends.
async fn round(routing: &Running, models: &Models, start: &AtRest, first: usize) {
    let port = routing.ports.mcp;
    let late = join_all((first..first + CALLERS).map(|id| asked(port, id))).await;
    let mut never = Client::open(port).await;
    for id in first + CALLERS..first + 2 * CALLERS {
        never.post(&message(id)).await;
    }
    waiting::until_true("the model calls", || async { models.asked().len() == first + 2 * CALLERS }).await;
    assert_eq!(routing.mcp().tools().await.len(), 4, "others are answered");
    // One that has arrived may not wait yet.
    waiting::until_true("the calls to end, although nobody reads", || async {
        models.release();
        routing.metric("routing_in_flight_calls").await == 0.0
    })
    .await;
    let each = start.more_kib(routing) / (2 * CALLERS) as u64;
    assert!(each <= KIB_OF_A_CALL, "{each} KiB a call");
    for (id, connection) in (first..).zip(late) {
        is_whole(&connection.rest().await, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_whose_progress_is_read_late_or_never_end_in_time_and_leave_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("waits-long")).start().await;
    let start = AtRest::of(&routing).await;
    round(&routing, &models, &start, 0).await;
    // Now memory has been taken that is kept.
    let before = start.warm(&routing).await;
    for number in 1..ROUNDS {
        round(&routing, &models, &start, number * 2 * CALLERS).await;
    }
    drop(models);
    before.is_back(&routing).await;
    routing.has_recorded(ROUNDS * 2 * CALLERS).await;
}

/// Whether a new connection is answered, and not closed for want of places.
async fn is_answered(port: u16) -> bool {
    let head = "POST /mcp HTTP/1.1\r\nhost: a\r\nconnection: close\r\naccept: application/json, text/event-stream\r\n";
    let mut connection = Connection::open(port).await;
    connection.send(format!("{head}content-length: {}\r\n\r\n{LIST}", LIST.len()).as_bytes()).await;
    connection.rest().await.starts_with("HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_room_for_an_answer_give_way_to_calls_and_leave_nothing() {
    let models = Models::start().await;
    let program = Program::serve_policy(&Policy::at(&models.url())).with_descriptors(DESCRIPTORS);
    let routing = program.start().await;
    let before = AtRest::of(&routing).await;
    let mut kept = vec![];
    for _ in 0..WITHOUT_ROOM {
        let mut client = Client::open_without_room(routing.ports.mcp).await;
        client.post(LIST).await;
        kept.push(client);
        assert_eq!(routing.admin("/readyz").await, "ready\n");
    }
    let all = || async {
        let answered = join_all((0..10).map(|_| is_answered(routing.ports.mcp))).await;
        answered.into_iter().all(|answered| answered)
    };
    waiting::until_true("ten calls at once to be answered beside them", all).await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of l");
    drop(kept);
    before.is_back(&routing).await;
}
