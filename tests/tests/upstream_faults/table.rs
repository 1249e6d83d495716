//! The faults of an exchange, as data.

use serde_json::json;
use tests::fault_server::{
    Act, Answer, Fault, Point,
    broken::{self, Broken, Errors, Expected},
};

/// What the data plane calls an exchange without an answer.
const ERRORS: Errors = Errors { nothing: "interrupted", too_much: "too_large", nonsense: "not_json" };

/// One row: a fault, and what becomes of an attempt that meets it.
pub struct Case {
    pub name: String,
    pub fault: Fault,
    pub expected: Expected,
}

/// A row.
pub fn case(name: impl Into<String>, fault: Fault, expected: Expected) -> Case {
    Case { name: name.into(), fault, expected }
}

/// A row about an answer that arrives whole.
pub fn answer_case(name: impl Into<String>, answer: Answer, expected: Expected) -> Case {
    case(name, Fault::answer(answer), expected)
}

fn broken_case(broken: Broken, expected: Expected) -> Case {
    let fault = broken.fault(Answer::good());
    case(broken.name, fault, expected)
}

/// Connections that end early, floods, and bodies that end elsewhere than their head says. Before a request nobody knows of
/// which model it is, so what happens there is not among them.
pub fn broken_exchanges() -> Vec<Case> {
    // The floods are first: what is held is compared with what was held after them.
    let all = [broken::floods_and_lengths(), broken::cuts_and_resets()].concat();
    let of_one_model = all.into_iter().filter(|broken| broken.at != Point::Accepted);
    let row = |broken: Broken| {
        let expected = broken.expected(ERRORS);
        broken_case(broken, expected)
    };
    of_one_model.map(row).collect()
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
    let row = |at, act| case(format!("{act:?} {at:?}"), Fault::at(at, act), Expected::Error("interrupted"));
    vec![
        row(Point::Accepted, Act::Cut),
        row(Point::Accepted, Act::Reset),
        row(Point::Asked, Act::Reset),
        case("503", Fault::answer(Answer::of("").status(503)), Expected::Error("status")),
    ]
}

fn without_end(all: Vec<Broken>) -> Vec<Case> {
    all.into_iter().map(|broken| broken_case(broken, Expected::Error("timeout"))).collect()
}

/// Exchanges that do not end, and nothing more comes.
pub fn hangs() -> Vec<Case> {
    without_end(broken::hangs())
}

/// Exchanges whose rest comes too slowly.
pub fn drips() -> Vec<Case> {
    without_end(broken::drips())
}

/// What both models can do at once until no time is left.
pub fn both_without_end() -> Vec<Case> {
    let row = |at, act| case(format!("{act:?} {at:?}"), Fault::at(at, act), Expected::Error("timeout"));
    vec![row(Point::Asked, Act::Hang), row(Point::AfterHead, Act::Drip)]
}
