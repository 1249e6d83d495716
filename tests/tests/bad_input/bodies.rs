//! Bodies that are too large and do not say so, and bodies that come slowly (`tests/faults.toml`, row 40).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use tests::{
    Policy,
    at_rest::AtRest,
    calls,
    load::{Got, Load},
    program::{Program, Running},
    raw_http::Connection,
    stand_in::models::Models,
    wrong_requests::Tool,
};

/// Large bodies after which each thread has what it keeps for the next ones.
const FIRST: usize = 25;
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 64;

/// Bodies at a time that come slowly; a thousand together.
const SLOW: usize = 50;
const ROUNDS: usize = 20;
/// After so many, memory has been taken that is kept.
const FIRST_ROUNDS: usize = 4;
/// Part of a body that comes at a time, in bytes.
const PART: usize = 16;
/// Time between two parts.
const REST: Duration = Duration::from_millis(20);
/// Other calls meanwhile.
const OTHERS: usize = 20;

/// Bodies of more than 4 MiB: a thousand of them are 4 GiB.
fn large() -> usize {
    calls::in_make_test(100)
}

/// 4 MiB are sent, and a chunk more. The client has not said that this was the last.
async fn is_refused_while_it_is_sent(port: u16, chunk: &[u8]) {
    let head = "POST /mcp HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut connection = Connection::open(port).await;
    connection.send(head.as_bytes()).await;
    for _ in 0..=CHUNKS {
        connection.send(chunk).await;
    }
    let answer = connection.only_answer("more than 4 MiB").await;
    assert!(answer.status == 413 && answer.body.contains("4194304 bytes"), "{answer:?}");
}

async fn are_refused_while_they_are_sent(program: &Running, at_a_time: usize) {
    let began = Instant::now();
    let chunk = format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK));
    let send = |bodies: usize| {
        let each = |_| is_refused_while_it_is_sent(program.ports.mcp, chunk.as_bytes());
        stream::iter(0..bodies).map(each).buffer_unordered(at_a_time).collect::<Vec<()>>()
    };
    let before = AtRest::of(program).await;
    // The first ones take memory that is kept for the others.
    send(FIRST).await;
    let before = before.warm(program).await;
    send(large() - FIRST).await;
    calls::print("more than 4 MiB", large(), began);
    assert!(!program.mcp().tools().await.is_empty(), "right requests are answered");
    before.is_back(program).await;
}

/// As many at a time as fit into what each program has for bodies: 64 and 16 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_is_refused_while_it_is_sent_once_it_is_too_large() {
    are_refused_while_they_are_sent(&Program::serve().start().await, 8).await;
    are_refused_while_they_are_sent(&Program::brain().start().await, 3).await;
}

async fn comes_slowly(port: u16, request: Arc<String>) {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    let mut connection = Connection::open(port).await;
    connection.send(format!("{head}\r\n\r\n").as_bytes()).await;
    for part in body.as_bytes().chunks(PART) {
        tokio::time::sleep(REST).await;
        connection.send(part).await;
    }
    let answer = connection.only_answer("a slow body").await;
    assert!(answer.status == 200 && answer.body.contains("answer of l"), "{answer:?}");
}

async fn others_are_answered(load: &Load) {
    load.calls(0..OTHERS, 4, |number, got| {
        assert!(matches!(&got, Got::Result(result) if !result.is_error()), "call {number}: {got:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_bodies_that_come_slowly_are_answered_each_and_cost_no_other_call_its_answer() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&Policy::at(&models.url())).start().await;
    let (port, request, load) = (routing.ports.mcp, Arc::new(Tool::DEBUG.right()), Load::of(&routing.mcp_url()));
    let (mut before, began) = (AtRest::of(&routing).await, Instant::now());
    for round in 1..=ROUNDS {
        let slow = (0..SLOW).map(|_| tokio::spawn(comes_slowly(port, Arc::clone(&request))));
        let slow: Vec<_> = slow.collect();
        others_are_answered(&load).await;
        for ended in join_all(slow).await {
            ended.expect("each slow one is answered");
        }
        if round == FIRST_ROUNDS {
            before = before.warm(&routing).await;
        }
    }
    calls::print("bodies that come slowly", ROUNDS * SLOW, began);
    drop(load);
    routing.has_recorded(ROUNDS * (SLOW + OTHERS)).await;
    before.is_back(&routing).await;
}
