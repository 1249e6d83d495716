//! What acknowledges an entry, and how often it is sent.

use crds::table::BrainTarget;
use reqwest::Client;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{super::LOG_TIMEOUT, *};

const LOGGED: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 41\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":0}}";

/// Answers one request.
async fn log_one(listener: TcpListener) {
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut request = vec![];
    while !request.ends_with(b"}}}") {
        assert_ne!(socket.read_buf(&mut request).await.expect("a request"), 0);
    }
    socket.write_all(LOGGED).await.expect("an answer");
}

#[tokio::test]
async fn an_entry_waits_for_a_brain_that_is_starting_again_but_for_none_that_is_away() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = BrainTarget { url: format!("http://{address}").parse().expect("a URL"), token: None };
    let brain = BrainClient::new(&target, None, Client::new());
    let entry = json!({"phase": "decide"});
    let (logged, ()) = tokio::join!(brain.session_log(&entry), log_one(listener));
    assert_eq!(logged.map(|answer| answer["id"].clone()), Ok(json!(1)));

    let started_again = async {
        sleep(AGAIN * 5 / 2).await;
        log_one(TcpListener::bind(address).await.expect("the port")).await;
    };
    let (logged, ()) = tokio::join!(brain.session_log(&entry), started_again);
    assert!(logged.is_ok(), "{logged:?}");

    assert_eq!(brain.session_log(&entry).await, Err(BrainError::NotConnected), "it does not come back");
    let began = Instant::now();
    assert_eq!(brain.session_log(&entry).await, Err(BrainError::NotConnected));
    assert!(began.elapsed() < LOG_TIMEOUT, "the others behind it do not wait");
}

#[test]
fn only_a_result_for_the_request_acknowledges_an_entry() {
    for body in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": false}, "more": 1}),
        json!({"id": 1, "result": "logged"}),
    ] {
        assert_eq!(acknowledged(body.clone()), Ok(body));
    }
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!(true),
        json!({"ok": true, "id": 1}),
        json!({"jsonrpc": "2.0", "result": {"content": []}}),
        json!({"jsonrpc": "2.0", "id": null, "result": {"content": []}}),
        json!({"jsonrpc": "2.0", "id": "1", "result": {"content": []}}),
        json!({"jsonrpc": "2.0", "id": 2, "result": {"content": []}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}),
        json!([{"jsonrpc": "2.0", "id": 1, "result": {"content": []}}]),
    ] {
        assert_eq!(refusal(&body), None, "{body}");
        let malformed = BrainError::Malformed("a JSON-RPC result for the request");
        assert_eq!(acknowledged(body.clone()), Err(malformed), "{body}");
    }
}
