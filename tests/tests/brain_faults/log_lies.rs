//! Answers to records that arrive whole and are wrong in themselves, or look so.

use tests::fault_server::Answer;

use crate::table::MALFORMED;

/// More than an answer may have.
const TOO_LONG: usize = 100_000;

/// Which records of a request are lost, by their place in it and how many it has.
pub type IsLost = fn(usize, usize) -> bool;

/// What becomes of the records of a row.
#[derive(Clone, Copy)]
pub enum Are {
    Delivered,
    /// With an error of this kind.
    Lost(&'static str),
    /// Those that this says.
    LostByPlace(&'static str, IsLost),
    /// Those that this says are refused together with others, and then delivered alone.
    SentAgain(IsLost),
}

/// One row.
pub type Lie = (String, Answer, Are);

/// What a brain may say whatever it is sent: an acknowledgement counts with the status 200 alone.
pub fn whatever_is_sent() -> Vec<Lie> {
    let codes = [201, 204, 301, 307, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504];
    let statuses = codes.map(|code| (code.to_string(), Answer::logged().status(code), Are::Lost("status")));
    let bodies = vec![
        body("no body", ""),
        body("HTML", "<html>CANARY</html>"),
        body("JSON that is cut", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}"#),
        body("two documents", "{}{}"),
        body("NaN", r#"{"result":NaN}"#),
        body("an object that is no answer", "{}"),
        body("no object", "[]"),
        body("an answer to no request", r#"{"jsonrpc":"2.0","result":{"content":[]}}"#),
        body("the answer to another request", r#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#),
        body("a request", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
        ("too long".into(), Answer::logged().spaces(TOO_LONG), Are::Lost(MALFORMED)),
        ("gzip".into(), Answer::of(&b"\x1f\x8b\x08"[..]).header("content-encoding", "gzip"), Are::Lost(MALFORMED)),
        ("503 with a reason".into(), reason().status(503), Are::Lost("status")),
        ("not now".into(), not_now(), Are::Lost("failed")),
        ("a wrong content type".into(), Answer::logged().header("content-type", "text/html"), Are::Delivered),
    ];
    statuses.into_iter().chain(bodies).collect()
}

fn body(name: &str, text: &str) -> Lie {
    (name.into(), Answer::of(text), Are::Lost(MALFORMED))
}

fn reason() -> Answer {
    Answer::of(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"CANARY"}}"#)
}

/// Nothing is wrong with the entry.
fn not_now() -> Answer {
    let meta = r#"{"routing.hyperguild.io/retryable":true}"#;
    let content = r#"[{"type":"text","text":"CANARY"}]"#;
    Answer::of(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"isError":true,"content":{content},"_meta":{meta}}}}}"#))
}

/// What a brain may say of several records: one that comes alone needs no list.
pub fn of_several() -> Vec<Lie> {
    let logged = r#"{"id":"logged"}"#;
    let together: IsLost = |_, of| of > 1;
    let every_second: IsLost = |place, of| of > 1 && place % 2 == 1;
    let refused = r#"{"error":"CANARY"}"#;
    let failed = r#"{"error":"CANARY","routing.hyperguild.io/retryable":true}"#;
    let wrong = |name: &str, result: &str| {
        let answer = Answer::of(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#));
        (name.to_string(), answer, Are::LostByPlace(MALFORMED, together))
    };
    let each = |name: &str, became: &[&'static str], are| (name.to_string(), Answer::logged().each(became), are);
    vec![
        wrong("no list", r#"{"content":[]}"#),
        wrong("an empty list", r#"{"_meta":{"routing.hyperguild.io/logged":[]}}"#),
        wrong("no list but a text", r#"{"_meta":{"routing.hyperguild.io/logged":"all"}}"#),
        wrong("no object", "null"),
        each("all failed", &[failed], Are::LostByPlace("failed", together)),
        each("every second one failed", &[logged, failed], Are::LostByPlace("failed", every_second)),
        each("all refused", &[refused], Are::SentAgain(together)),
        each("every second one refused", &[logged, refused], Are::SentAgain(every_second)),
        each("ids that are no texts", &[r#"{"id":7}"#, "null", "[]"], Are::SentAgain(together)),
    ]
}

/// That nothing is ever logged, in the two forms in which it is said.
pub fn refusals() -> [(&'static str, Answer); 2] {
    let result = r#"{"isError":true,"content":[{"type":"text","text":"CANARY"}]}"#;
    let tool_error = Answer::of(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#));
    [("an error of JSON-RPC", reason()), ("a tool error", tool_error)]
}
