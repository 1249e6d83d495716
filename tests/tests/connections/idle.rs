//! Ten thousand connections that have asked once and are kept: as many as there are descriptors for, and where there are few,
//! one after the other (`tests/faults.toml`, row 43).

use std::{collections::VecDeque, net::Ipv4Addr};

use futures::{StreamExt, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    program::{Program, Running},
    raw_http::Connection,
    stand_in::models::Models,
};
use tokio::net::TcpSocket;

const CONNECTIONS: usize = 10_000;
/// Connections that are being opened at a time.
const AT_A_TIME: usize = 32;
/// Addresses that they come from: one alone may have half of all connections.
const ADDRESSES: usize = 4;
/// Descriptors of a process that holds them: two for each, as a call may need a second connection. 64 are closed for others.
const MANY: u32 = 20_000;
const HELD: std::ops::RangeInclusive<usize> = 9_900..=10_000;
/// Of a build without optimisation, with the buffers of its HTTP library, of 8 KiB each.
const KIB_OF_A_CONNECTION: u64 = 48;

/// Descriptors of a process as a login has them: 448 connections.
const FEW: u32 = 1024;
/// Of the last so many connections the first has been closed for others: more than there may be, and than are being opened.
const LAST: usize = 600;
/// Others call after so many.
const EVERY: usize = 1000;

/// This process needs as many, too.
fn allow_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let suffices = |limit: Option<u64>| limit.is_none_or(|descriptors| descriptors >= u64::from(MANY));
    assert!(suffices(limit.maximum), "needs {MANY} descriptors and may have {:?}: raise `ulimit -Hn`", limit.maximum);
    if !suffices(limit.current) {
        let raised = Rlimit { current: Some(MANY.into()), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("no more than it may have");
    }
}

/// A connection that has asked once.
async fn idle(port: u16, number: usize) -> Connection {
    let address = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % ADDRESSES).expect("a small number"));
    let socket = TcpSocket::new_v4().expect("a descriptor");
    socket.bind((address, 0).into()).expect("an address of this machine");
    let socket = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.expect("connects");
    let mut connection = Connection::over(socket);
    connection.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = connection.only_answer("the first request").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    connection
}

async fn others_are_answered(routing: &Running, first: usize) {
    assert_eq!(routing.admin("/readyz").await, "ready\n");
    Load::of(&routing.mcp_url())
        .calls(first..first + 20, 4, |number, got| {
            assert!(matches!(&got, Got::Result(result) if !result.is_error()), "call {number}: {got:?}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_take_little_memory_each_and_cost_no_call_and_no_probe_its_answer() {
    allow_descriptors();
    let models = Models::start().await;
    let program = Program::serve_policy(&Policy::at(&models.url())).variable("ROUTING_CONNECTIONS", "65536");
    let routing = program.with_descriptors(MANY).start().await;
    let before = AtRest::of(&routing).await;
    let opened = stream::iter(0..CONNECTIONS).map(|number| idle(routing.ports.mcp, number));
    let open: Vec<Connection> = opened.buffer_unordered(AT_A_TIME).collect().await;
    let (held, each) = (routing.held().descriptors, before.more_kib(&routing) / CONNECTIONS as u64);
    println!("{held} descriptors, {each} KiB a connection");
    assert!(HELD.contains(&held) && each <= KIB_OF_A_CONNECTION, "{held} descriptors, {each} KiB a connection");
    others_are_answered(&routing, 0).await;
    drop(open);
    before.is_idle_again(&routing).await;
    others_are_answered(&routing, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_give_way_to_ten_thousand_others_and_leave_nothing() {
    let models = Models::start().await;
    let program = Program::serve_policy(&Policy::at(&models.url()));
    let routing = program.with_descriptors(FEW).start().await;
    let before = AtRest::of(&routing).await;
    let mut opened = stream::iter(0..CONNECTIONS)
        .map(|number| idle(routing.ports.mcp, number))
        .buffer_unordered(AT_A_TIME)
        .enumerate();
    let mut last = VecDeque::new();
    while let Some((count, connection)) = opened.next().await {
        last.push_back(connection);
        if last.len() > LAST {
            let first = last.pop_front().expect("there are some");
            assert_eq!(first.rest().await, "", "it is closed without a word");
        }
        if count % EVERY == 0 {
            others_are_answered(&routing, count).await;
        }
    }
    drop(last);
    before.is_back(&routing).await;
}
