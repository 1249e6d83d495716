//! Callers that go away at any point of a call: within their request, right after it, while a model works, and while they
//! read their answer.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::{at_rest::AtRest, program::Program, raw_http::Connection, stand_in::models::Models, waiting};

use super::{AT_A_TIME, CALLS, DECIDED};

/// Longest time after which a caller goes, in milliseconds.
const LATEST_MS: u64 = 400;
/// Callers at the same time: so few that those who wait reach their model also on a busy machine.
const CALLERS: usize = AT_A_TIME / 4;
/// Of all calls at least so many are with the model that hangs when their caller goes; how many more, the machine decides.
const REACHED_MIN: usize = 1;

/// The bytes of a call. Every other caller reads event streams, whose head comes while the model works.
fn request(number: usize) -> String {
    let arguments = json!({"project_root": "/tmp", "problem": number.to_string()});
    let params = json!({"name": "debug", "arguments": arguments});
    let body = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).to_string();
    let accept = if number.is_multiple_of(2) { "application/json" } else { "application/json, text/event-stream" };
    let head = format!("POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\naccept: {accept}\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// A call whose caller goes at a point that its number says.
async fn goes(port: u16, number: usize) {
    let (mut connection, request) = (Connection::open(port).await, request(number));
    let round = number / 8;
    match number % 8 {
        0 => connection.send(&request.as_bytes()[..3 * round % request.len()]).await,
        1 | 2 => connection.send(request.as_bytes()).await,
        // With the head of its answer.
        3 => {
            connection.send(request.as_bytes()).await;
            assert!(connection.take(1).await.is_some(), "call {number} has no head");
        }
        _ => {
            connection.send(request.as_bytes()).await;
            let after = u64::try_from(number).expect("fits") * 7 % LATEST_MS;
            tokio::time::sleep(Duration::from_millis(after)).await;
        }
    }
}

/// The records in a log: each has an id of its own, and says whether its model call was cancelled.
fn recorded(log: &str) -> Vec<(String, bool)> {
    let mut ids = HashSet::new();
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        assert!(ids.insert(record["id"].to_string()), "a record twice: {line}");
        (record["model"].as_str().unwrap_or_default().to_string(), record["error"] == "cancelled")
    };
    log.lines().filter(|line| line.contains(DECIDED)).map(record).collect()
}

/// Whether each model call of a model was cancelled.
fn of<'r>(records: &'r [(String, bool)], model: &'r str) -> impl Iterator<Item = bool> {
    records.iter().filter(move |(of, _)| of == model).map(|(_, cancelled)| *cancelled)
}

/// From the environment alone, so no call does without the local model, however often that failed.
async fn with_callers_that_go(local: &str, claude: &str) {
    let models = Models::start().await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url());
    let program = program.variable("HYPERGUILD_LOCAL_MODEL", local).variable("HYPERGUILD_CLAUDE_MODEL", claude);
    let routing = program.start().await;
    let (before, port) = (AtRest::of(&routing).await, routing.ports.mcp);
    stream::iter(0..CALLS).map(|number| goes(port, number)).buffer_unordered(CALLERS).collect::<Vec<()>>().await;
    before.is_back(&routing).await;
    let asked = |model: &str| models.asked().iter().filter(|asked| *asked == model).count();
    // A call that was cancelled before it reached its model has a record, too.
    let records = waiting::until("a record of each model call", || async {
        let log = routing.log();
        let records = if log.ends_with('\n') { recorded(&log) } else { vec![] };
        [local, claude].iter().all(|model| of(&records, model).count() >= asked(model)).then_some(records)
    })
    .await;
    println!("{local}: asked {} times, {claude}: {} times", asked(local), asked(claude));
    assert!((REACHED_MIN..CALLS).contains(&asked("hangs")), "{} calls reached it", asked("hangs"));
    assert!(of(&records, "hangs").all(|cancelled| cancelled), "nothing else ends a call of a model that hangs");
    let most = [local, claude].map(|model| of(&records, model).count());
    assert!(most.iter().all(|records| *records <= CALLS), "one record for each model call: {most:?}");
    let left_alone = || async { models.received().iter().all(|call| call.abandoned || call.model() != "hangs") };
    waiting::until_true("the model to be left alone", left_alone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_that_go_at_any_point_cancel_the_local_model_and_leave_nothing() {
    with_callers_that_go("hangs", "c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_that_go_at_any_point_cancel_a_fallback_and_leave_nothing() {
    with_callers_that_go("status-500", "hangs").await;
}
