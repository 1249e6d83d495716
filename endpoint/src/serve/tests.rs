//! The accept loop as clients on sockets see it.

use axum::{
    body::{Body, Bytes},
    routing::post,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{activity::IDLE_TIMEOUT, *};

/// Starts a server and returns its port.
fn server(limits: Limits) -> (u16, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = listen(Some([127, 0, 0, 1].into()), 0).expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let app = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    let stop = CancellationToken::new();
    (port, stop.clone(), tokio::spawn(until(listener, app, limits, stop)))
}

async fn sent(port: u16, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    client.write_all(request.as_bytes()).await.expect("sent");
    client
}

/// What the server sends until it closes.
async fn rest(mut client: TcpStream) -> String {
    let mut answer = String::new();
    // A reset is an end, too.
    let _ = client.read_to_string(&mut answer).await;
    answer
}

const REQUEST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nxx";

#[tokio::test]
async fn heads_that_two_readers_could_understand_differently_are_refused() {
    let (port, ..) = server(Limits::of_admin());
    for (head, named) in [
        ("host: a\r\nhost: b\r\ncontent-length: 0", "several Host headers"),
        ("content-length: 0", "no Host header"),
        ("host: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked", "send one of them"),
        ("host: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3", "send one of them"),
    ] {
        let request = format!("POST / HTTP/1.1\r\n{head}\r\nconnection: close\r\n\r\n");
        let answer = rest(sent(port, &request).await).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(named), "{head}: {answer}");
    }
    let close = REQUEST.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    assert!(rest(sent(port, &close).await).await.ends_with("\r\n\r\n2"), "a right one is answered");
}

#[tokio::test]
async fn silent_connections_give_way_to_those_that_ask() {
    let (port, ..) = server(Limits { connections: 8, per_address: 4 });
    let mut silent = vec![];
    for _ in 0..40 {
        silent.push(sent(port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-le").await);
    }
    let close = REQUEST.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    assert!(rest(sent(port, &close).await).await.ends_with("\r\n\r\n2"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_no_whole_head_is_ended_after_10_s_and_an_idle_one_after_75_s() {
    let app = || Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
    for (request, seconds) in
        [("", 10), ("POST / HT", 10), ("POST / HTTP/1.1\r\nhost: a\r\n", 10), ("PRI * HTTP/2.0\r\n", 10), (REQUEST, 75)]
    {
        let (mut client, socket) = tokio::io::duplex(4096);
        let connections = Connections::new(Limits::of_admin());
        let admitted = connections.admit([127, 0, 0, 1].into()).expect("room");
        client.write_all(request.as_bytes()).await.expect("sent");
        let began = tokio::time::Instant::now();
        connection::serve(socket, app(), &admitted, &CancellationToken::new()).await;
        let took = began.elapsed().as_secs();
        assert!((seconds..=seconds + 1).contains(&took), "{request:?} was ended after {took} s");
    }
}

/// Begins a connection of HTTP/2 whose client makes no room for any answer, and asks.
const WITHOUT_ROOM: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0\
    \0\0\x06\x01\x05\0\0\0\x01\x83\x86\x84\x01\x01a";

#[tokio::test(start_paused = true)]
async fn a_connection_whose_peer_does_not_read_its_answer_is_ended_after_75_s() {
    let part = || Ok::<_, io::Error>(Bytes::from(vec![0; 1 << 20]));
    let large = move || async move { Body::from_stream(futures::stream::iter([part(), part()])) };
    for request in [REQUEST.as_bytes(), WITHOUT_ROOM] {
        let (mut client, socket) = tokio::io::duplex(4096);
        let connections = Connections::new(Limits::of_admin());
        let admitted = connections.admit([127, 0, 0, 1].into()).expect("room");
        client.write_all(request).await.expect("sent");
        let began = tokio::time::Instant::now();
        let app = Router::new().route("/", post(large));
        connection::serve(socket, app, &admitted, &CancellationToken::new()).await;
        let took = began.elapsed().as_secs();
        assert!((75..=76).contains(&took), "it was ended after {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_on_slowly_has_its_whole_answer() {
    const LENGTH: usize = 16 * 1024;
    let (mut client, socket) = tokio::io::duplex(4096);
    let connections = Connections::new(Limits::of_admin());
    let admitted = connections.admit([127, 0, 0, 1].into()).expect("room");
    client.write_all(REQUEST.as_bytes()).await.expect("sent");
    let app = Router::new().route("/", post(|| async { vec![0; LENGTH] }));
    let read = async {
        let mut answer = vec![];
        while answer.len() < LENGTH {
            tokio::time::sleep(IDLE_TIMEOUT * 4 / 5).await;
            assert_ne!(client.read_buf(&mut answer).await.expect("open"), 0, "after {} bytes", answer.len());
        }
    };
    let stop = CancellationToken::new();
    tokio::select! {
        () = read => {}
        () = connection::serve(socket, app, &admitted, &stop) => panic!("it ended before"),
    }
}

/// Both were sent before the server stopped; it has seen neither.
#[tokio::test]
async fn requests_that_are_on_their_way_when_it_stops_are_answered_on_connections_that_then_end() {
    let (port, stop, server) = server(Limits::of_admin());
    let mut kept = sent(port, REQUEST).await;
    let mut answer = [0; 1024];
    assert!(kept.read(&mut answer).await.expect("an answer") > 0);
    // Nothing of the server runs between these: the test has one thread.
    let new = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connects");
    std::io::Write::write_all(&mut &new, REQUEST.as_bytes()).expect("sent");
    assert_eq!(kept.try_write(REQUEST.as_bytes()).expect("sent"), REQUEST.len());
    stop.cancel();
    new.set_nonblocking(true).expect("a socket");
    for client in [kept, TcpStream::from_std(new).expect("a socket")] {
        let answer = rest(client).await;
        assert!(answer.contains("connection: close") && answer.ends_with('2'), "{answer}");
    }
    server.await.expect("ends without a panic");
}

#[tokio::test]
async fn what_is_in_flight_when_it_stops_is_answered_and_nothing_more_is_accepted() {
    let listener = listen(Some([127, 0, 0, 1].into()), 0).expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let (begun, go_on) = (std::sync::Arc::new(tokio::sync::Notify::new()), CancellationToken::new());
    let (begins, waits) = (begun.clone(), go_on.clone());
    let app = Router::new().route(
        "/",
        post(move || async move {
            begins.notify_one();
            waits.cancelled().await;
            "answered"
        }),
    );
    let stop = CancellationToken::new();
    let server = tokio::spawn(until(listener, app, Limits::of_admin(), stop.clone()));
    let idle = sent(port, "").await;
    let client = sent(port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await;
    begun.notified().await;
    stop.cancel();
    assert_eq!(rest(idle).await, "", "a connection without a request ends soon");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!server.is_finished());
    go_on.cancel();
    assert!(rest(client).await.ends_with("answered"));
    server.await.expect("ends without a panic");
}
