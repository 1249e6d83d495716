//! Callers that go away at any point of a call: within their request, right after it, while a model works, and while they
//! read their answer.

use std::{ops::Range, time::Duration};

use futures::{StreamExt, stream};
use tests::{at_rest::AtRest, program::Program, raw_http::Connection, recorded, stand_in::models::Models, waiting};

use super::{AT_A_TIME, CALLS, FIRST};

/// Longest time after which a caller goes, in milliseconds.
const LATEST_MS: u64 = 400;
/// Callers at the same time: so few that those who wait reach their model also on a busy machine.
const CALLERS: usize = AT_A_TIME / 4;
/// Of all calls at least so many are with the model that hangs when their caller goes; how many more, the machine decides.
const REACHED_MIN: usize = 1;

/// The bytes of a call. Every other caller reads event streams, whose head comes while the model works.
fn request(number: usize) -> String {
    let body = recorded::call(number).to_string();
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

async fn go(port: u16, numbers: Range<usize>) {
    stream::iter(numbers).map(|number| goes(port, number)).buffer_unordered(CALLERS).collect::<Vec<()>>().await;
}

/// From the environment alone, so no call does without the local model, however often that failed.
async fn with_callers_that_go(local: &str, claude: &str) {
    let models = Models::start().await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url());
    let program = program.variable("HYPERGUILD_LOCAL_MODEL", local).variable("HYPERGUILD_CLAUDE_MODEL", claude);
    let routing = program.start().await;
    let (before, port) = (AtRest::of(&routing).await, routing.ports.mcp);
    go(port, 0..FIRST).await;
    let before = before.warm(&routing).await;
    go(port, FIRST..CALLS).await;
    before.is_back(&routing).await;
    // A call that was cancelled before it reached its model has a record, too.
    let records = recorded::once_each(&routing, &models).await;
    let asked = |model: &str| models.asked().iter().filter(|asked| *asked == model).count();
    println!("{local}: asked {} times, {claude}: {} times", asked(local), asked(claude));
    assert!((REACHED_MIN..CALLS).contains(&asked("hangs")), "{} calls reached it", asked("hangs"));
    let mut of_hangs = records.iter().filter(|((_, model), _)| model == "hangs");
    assert!(of_hangs.all(|(_, error)| error == "cancelled"), "nothing else ends a call of a model that hangs");
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
