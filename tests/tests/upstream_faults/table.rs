//! The faults of an exchange, as data.

use serde_json::json;
use tests::fault_server::{Act, Answer, Fault, Point, fault::Length};

/// One row: a fault, and what becomes of an attempt that meets it.
pub struct Case {
    pub name: String,
    pub fault: Fault,
    pub expected: Expected,
}

/// Calls of a row.
pub const CALLS: usize = 1000;

/// What becomes of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Its good answer is used.
    Answered,
    /// An error of this kind.
    Error(&'static str),
    /// Either: the kernel may discard what came before a reset, and a connection may end while the next call begins.
    AnsweredOr(&'static str),
    /// One of two errors.
    Either(&'static str, &'static str),
}

/// A row.
pub fn case(name: impl Into<String>, fault: Fault, expected: Expected) -> Case {
    Case { name: name.into(), fault, expected }
}

/// A row about an answer that arrives whole.
pub fn answer_case(name: impl Into<String>, answer: Answer, expected: Expected) -> Case {
    case(name, Fault::answer(answer), expected)
}

/// Connections that end early, floods, and bodies that end elsewhere than their head says.
pub fn broken_exchanges() -> Vec<Case> {
    use Expected::{Answered, AnsweredOr, Error};
    let framed = |length| Answer::good().length(length);
    let flooded = |at, length| Fault { at, act: Act::Flood, answer: framed(length) };
    // The floods are first: what is held is compared with what was held after them.
    let mut cases = vec![
        case("a head without end", flooded(Point::InHead, Length::Off(0)), Error("interrupted")),
        case("a body without end", flooded(Point::InBody, Length::UntilClosed), Error("too_large")),
        case("a body of 1 GiB", flooded(Point::InBody, Length::Off(1 << 30)), Error("too_large")),
        case(
            "bytes without end after the answer",
            flooded(Point::AfterBody, Length::Off(0)),
            AnsweredOr("interrupted"),
        ),
    ];
    for at in [Point::Asked, Point::InHead, Point::AfterHead, Point::InBody] {
        for act in [Act::Cut, Act::Reset] {
            cases.push(case(format!("{act:?} {at:?}"), Fault::at(at, act), Error("interrupted")));
        }
    }
    cases.extend([
        // The next call may be on its way over the same connection.
        case("cut after the answer", Fault::at(Point::AfterBody, Act::Cut), AnsweredOr("interrupted")),
        case("reset after the answer", Fault::at(Point::AfterBody, Act::Reset), AnsweredOr("interrupted")),
        case("a length that is too small", Fault::answer(framed(Length::Off(-5))), Error("not_json")),
        case("a length that is no number", Fault::answer(framed(Length::NoNumber)), Error("interrupted")),
        case("two lengths", Fault::answer(framed(Length::Twice)), Error("interrupted")),
        case("chunks", Fault::answer(framed(Length::Chunked)), Answered),
        case("a chunk whose size is no number", Fault::answer(framed(Length::BadChunk)), Error("interrupted")),
        case("no length", Fault::answer(framed(Length::UntilClosed)), Answered),
        case(
            "a length that is too large",
            Fault { act: Act::Cut, ..Fault::answer(framed(Length::Off(10))) },
            Error("interrupted"),
        ),
    ]);
    cases
}

/// Every status that is no success, with what servers say of when to come back.
pub fn statuses() -> Vec<Case> {
    let body = json!({"error": {"message": "CANARY", "type": "some_error"}}).to_string();
    let answer = |status| Answer::of(body.clone()).status(status);
    let error = |name: String, answer| answer_case(name, answer, Expected::Error("status"));
    let statuses = [301, 307, 400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529];
    let mut cases: Vec<Case> = statuses.map(|status| error(status.to_string(), answer(status))).into();
    for (status, when) in [(429, "7200"), (429, "Fri, 31 Dec 2100 23:59:59 GMT"), (503, "7200")] {
        let name = format!("{status} with Retry-After: {when}");
        cases.push(error(name, answer(status).header("retry-after", when)));
    }
    cases.push(error("307 to elsewhere".into(), answer(307).header("location", "http://127.0.0.1:1/")));
    cases
}

/// What both models can do at once.
pub fn failures_of_both() -> Vec<Case> {
    let row = |at, act, expected| case(format!("{act:?} {at:?}"), Fault::at(at, act), expected);
    vec![
        row(Point::Accepted, Act::Cut, Expected::Error("interrupted")),
        // The reset may come before the connection is seen to be open.
        row(Point::Accepted, Act::Reset, Expected::Either("interrupted", "unreachable")),
        row(Point::Asked, Act::Reset, Expected::Error("interrupted")),
        case("503", Fault::answer(Answer::of("").status(503)), Expected::Error("status")),
    ]
}

/// What ends no attempt by itself.
pub fn without_end() -> Vec<Case> {
    let timeout = |name: String, fault| case(name, fault, Expected::Error("timeout"));
    let mut cases = vec![];
    for at in [Point::Accepted, Point::Asked, Point::InHead, Point::AfterHead, Point::InBody] {
        cases.push(timeout(format!("hangs {at:?}"), Fault::at(at, Act::Hang)));
    }
    let answer = Answer::good().length(Length::UntilClosed);
    cases.push(timeout("never ends".into(), Fault { at: Point::AfterBody, act: Act::Hang, answer }));
    for at in [Point::Asked, Point::AfterHead] {
        cases.push(timeout(format!("drips {at:?}"), Fault::at(at, Act::Drip)));
    }
    cases
}
