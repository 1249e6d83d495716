//! Answers of `/pass-rate` that arrive whole and are wrong in themselves, or look so.

use tests::fault_server::Answer;

use crate::table::MALFORMED;

/// Levels of an answer that is nested without end.
const DEEP: usize = 10_000;
/// More than an answer may have.
const TOO_LONG: usize = 100_000;

/// What a call has of an answer.
#[derive(Clone, Copy)]
pub enum Has {
    /// This rate, as a record writes it.
    Rate(&'static str),
    /// None, after an error of this kind.
    Error(&'static str),
}

/// One row.
pub type Lie = (String, Answer, Has);

/// All of them.
pub fn of_rates() -> Vec<Lie> {
    [numbers(), no_numbers(), bodies(), counts(), headers(), statuses()].concat()
}

fn with(rate: &str) -> Answer {
    Answer::of(format!(r#"{{"pass_rate":{rate}}}"#))
}

fn numbers() -> Vec<Lie> {
    let all = [
        ("0.95", "0.95"),
        ("-0", "0.0"),
        ("-0.0", "0.0"),
        ("1e-400", "0.0"),
        ("-1e-400", "0.0"),
        ("1", "1.0"),
        ("9e-1", "0.9"),
        ("0.8999999999999999", "0.8999999999999999"),
        ("null", "null"),
    ];
    all.map(|(rate, read)| (rate.to_string(), with(rate), Has::Rate(read))).into()
}

fn no_numbers() -> Vec<Lie> {
    let all = [
        "NaN",
        "Infinity",
        r#""0.9""#,
        "1.7",
        "1.0000000000000002",
        "-1e-300",
        "-1",
        "1e400",
        "0x1",
        "",
        "true",
        "[0.9]",
        r#"{"rate":0.9}"#,
    ];
    all.map(|rate| (format!("no rate: {rate}"), with(rate), Has::Error(MALFORMED))).into()
}

fn bodies() -> Vec<Lie> {
    let deep = format!(r#"{{"pass_rate":0.95,"x":{}{}}}"#, "[".repeat(DEEP), "]".repeat(DEEP));
    let body = |name: &str, body: &str, has| (name.to_string(), Answer::of(body), has);
    let wrong = |name, text| body(name, text, Has::Error(MALFORMED));
    vec![
        wrong("no body", ""),
        wrong("nothing in it", "{}"),
        wrong("an array", r#"[{"pass_rate":0.95}]"#),
        wrong("a number alone", "0.95"),
        wrong("an error in a 200", r#"{"error":"CANARY"}"#),
        wrong("JSON that is cut", r#"{"pass_rate":0.95"#),
        wrong("two documents", r#"{"pass_rate":0.95}{"pass_rate":0.95}"#),
        wrong("half a surrogate pair", r#"{"pass_rate":0.95,"skill":"\ud800"}"#),
        wrong("a mark before it", "\u{feff}{\"pass_rate\":0.95}"),
        wrong("10,000 levels", &deep),
        wrong("the wrong one of two last", r#"{"pass_rate":0.95,"pass_rate":1.7}"#),
        body("the right one of two last", r#"{"pass_rate":"0.9","pass_rate":0.95}"#, Has::Rate("0.95")),
        body("another skill's", r#"{"skill":"other","pass_rate":0.95}"#, Has::Rate("0.95")),
        body("one event", "event: message\ndata: {\"pass_rate\":0.95}\n\n", Has::Rate("0.95")),
        ("no UTF-8".into(), Answer::of(&b"{\"pass_rate\":0.95,\"skill\":\"\xff\"}"[..]), Has::Error(MALFORMED)),
        ("too long".into(), with("0.95").spaces(TOO_LONG), Has::Error(MALFORMED)),
    ]
}

/// How many outcomes are behind the rate.
fn counts() -> Vec<Lie> {
    let most = u64::MAX;
    let both = format!(r#""pass":{most},"fail":{most}"#);
    let all =
        [r#""total":-1"#, r#""total":1e30"#, r#""total":"many""#, r#""total":0"#, &both, r#""pass":-1,"fail":0.5"#];
    let answer = |counts: &str| Answer::of(format!(r#"{{"pass_rate":0.1,{counts}}}"#));
    all.map(|counts| (counts.to_string(), answer(counts), Has::Rate("0.1"))).into()
}

fn headers() -> Vec<Lie> {
    let gzip = [&b"\x1f\x8b\x08"[..], &[0; 1000]].concat();
    let html = "<html>CANARY</html>";
    vec![
        ("HTML".into(), Answer::of(html).header("content-type", "text/html"), Has::Error(MALFORMED)),
        ("HTML that is called JSON".into(), Answer::of(html), Has::Error(MALFORMED)),
        ("a wrong content type".into(), with("0.95").header("content-type", "text/html"), Has::Rate("0.95")),
        (
            "gzip that says so".into(),
            Answer::of(gzip.clone()).header("content-encoding", "gzip"),
            Has::Error(MALFORMED),
        ),
        ("gzip that does not".into(), Answer::of(gzip), Has::Error(MALFORMED)),
        ("an encoding that is none".into(), with("0.95").header("content-encoding", "x"), Has::Rate("0.95")),
    ]
}

/// With a good rate in the body, which does not count. 404 is a skill that was there and has vanished.
fn statuses() -> Vec<Lie> {
    let status = Has::Error("status");
    let plain = [201, 204, 206, 300, 304, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504, 599];
    let mut all: Vec<Lie> = plain.map(|code| (code.to_string(), with("0.95").status(code), status)).into();
    for code in [301, 302, 307, 308] {
        let answer = with("0.95").status(code).header("location", "/pass-rate?skill=debug&window=7d");
        all.push((format!("{code} to itself"), answer, status));
    }
    let why = Answer::of(r#"{"error":{"message":"CANARY"}}"#).status(503);
    all.push(("503 with a reason".into(), why, status));
    all
}
