//! Heads that no library sends, a thousand of each kind: each has one answer, also when it is refused while it is still being
//! sent, and nothing is left of it (`tests/faults.toml`, row 40).

use std::time::Instant;

use futures::{StreamExt, stream};
use tests::{
    at_rest::AtRest,
    calls::{self, CALLS},
    program::{Program, Running},
    raw_http::Connection,
};

const AT_A_TIME: usize = 8;

/// A request, and what is answered.
struct Case {
    what: &'static str,
    request: String,
    status: u16,
    /// In the body; empty: the answer has none, because nobody could read what was asked.
    named: &'static str,
}

fn case(what: &'static str, request: String, status: u16, named: &'static str) -> Case {
    Case { what, request, status, named }
}

/// A head with these lines besides, and what follows it.
fn post(more: &str, body: &str) -> String {
    format!("POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{more}\r\n{body}")
}

fn cases() -> Vec<Case> {
    const CHUNKED: &str = "transfer-encoding: chunked\r\n";
    let chunked_twice = format!("content-length: 2\r\n{CHUNKED}");
    vec![
        case("two hosts", post("host: b\r\n", ""), 400, "several Host headers"),
        case("no host", "POST /mcp HTTP/1.1\r\naccept: */*\r\n\r\n".into(), 400, "no Host header"),
        case("a length and chunks", post(&chunked_twice, ""), 400, "send one of them"),
        case("two lengths", post("content-length: 2\r\ncontent-length: 3\r\n", ""), 400, ""),
        case("a length without end", post("content-length: 1000000000000000000\r\n", ""), 413, "4194304 bytes"),
        case("4 MiB and a byte", post("content-length: 4194305\r\nexpect: 100-continue\r\n", ""), 413, "4194304 bytes"),
        case("a chunk without a size", post(CHUNKED, "xyz\r\n"), 400, "chunks are malformed"),
        case("a chunk longer than its size", post(CHUNKED, "3\r\nabcdef\r\n"), 400, "chunks are malformed"),
        case("10,000 headers", post(&"x: y\r\n".repeat(10_000), ""), 431, ""),
        case("a path of 70,000 bytes", format!("POST /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000)), 414, ""),
        case("U+0000 in a header", post("x: a\0b\r\n", ""), 400, ""),
        case("a version that does not exist", "POST /mcp HTTP/9.9\r\nhost: a\r\n\r\n".into(), 400, ""),
        case("the beginning of TLS", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n".into(), 400, ""),
    ]
}

impl Case {
    async fn is_answered_once(&self, port: u16) {
        let mut connection = Connection::open(port).await;
        connection.send(self.request.as_bytes()).await;
        let answer = connection.only_answer(self.what).await;
        let has_body = answer.body.contains(r#""jsonrpc":"2.0""#) && answer.body.contains(self.named);
        let fits = if self.named.is_empty() { answer.body.is_empty() } else { has_body };
        assert!(answer.status == self.status && fits, "{}: {answer:?}", self.what);
        assert_eq!(connection.rest_after_closing().await, "", "{}: nothing follows", self.what);
    }
}

async fn are_answered_once_each(program: &Running) {
    let before = AtRest::of(program).await;
    for case in cases() {
        let began = Instant::now();
        let requests = stream::iter(0..CALLS).map(|_| case.is_answered_once(program.ports.mcp));
        requests.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
        calls::print(case.what, CALLS, began);
        assert!(!program.mcp().tools().await.is_empty(), "{}: right requests are answered", case.what);
    }
    before.is_back(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_heads_of_each_kind_that_no_library_sends_have_an_answer_each_and_leave_nothing() {
    are_answered_once_each(&Program::serve().start().await).await;
    are_answered_once_each(&Program::brain().start().await).await;
}
