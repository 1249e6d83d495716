//! The largest record that a caller can cause: it is bounded, and log and brain have it whole.

use std::{collections::HashMap, ops::Range};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    get_json, http,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

use super::{AT_A_TIME, CALLS, DECIDED, FIRST};

/// Longest text of a client that is kept, in characters.
const TEXT_MAX: usize = 256;
/// A hidden character, which is shown as nine, and as ten in JSON.
const HIDDEN: &str = "\u{e0001}";
/// A character of four bytes that is shown as it is.
const WIDE: &str = "\u{1f600}";
/// An argument of which a record has nothing.
const ARGUMENT_BYTES: usize = 1 << 20;
/// What a brain takes of a record, as JSON.
const RECORD_MAX: usize = 16 * 1024;
/// It is no small one.
const RECORD_MIN: usize = 10 * 1024;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// What a record has from its caller.
const SAID: [&str; 6] = ["session", "client_call_id", "client_session", "client_name", "client_version", "traceparent"];

/// A call that says of itself as much as it can.
fn call(number: usize) -> Value {
    let (hidden, wide) = (HIDDEN.repeat(2 * TEXT_MAX), WIDE.repeat(TEXT_MAX));
    let problem = if number == 0 { WIDE.repeat(ARGUMENT_BYTES / WIDE.len()) } else { format!("problem {number}") };
    let arguments = json!({"project_root": "/tmp", "problem": problem, "session_id": wide});
    let meta = json!({"claudecode/toolUseId": hidden, "sessionID": hidden, "traceparent": TRACE,
        "io.modelcontextprotocol/clientInfo": {"name": hidden, "version": hidden}});
    let params = json!({"name": "debug", "arguments": arguments, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
}

async fn all_are_answered(routing: &Running, numbers: Range<usize>) {
    let client = http();
    let answers = stream::iter(numbers).map(|number| {
        let request = client.post(routing.mcp_url()).header("content-type", "application/json");
        let request = request.body(call(number).to_string());
        async move { (number, request.send().await.expect("an answer").json::<Value>().await.expect("JSON")) }
    });
    let mut answers = answers.buffer_unordered(AT_A_TIME / 4);
    while let Some((number, answer)) = answers.next().await {
        assert_eq!(answer["result"]["isError"], json!(false), "call {number}: {answer}");
    }
}

/// The records in a log, by their ids.
fn logged(log: &str) -> HashMap<String, Value> {
    let mut records = HashMap::new();
    for line in log.lines().filter(|line| line.contains(DECIDED)) {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        assert!((RECORD_MIN..RECORD_MAX).contains(&line.len()), "{} bytes", line.len());
        let shown = format!("\\u{{{:x}}}", 0xe0001).repeat(TEXT_MAX);
        assert_eq!(record["client_call_id"], json!(shown));
        assert_eq!(record["session"], json!(WIDE.repeat(TEXT_MAX)));
        records.insert(record["id"].as_str().expect("an id").to_string(), record);
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_record_that_a_caller_can_cause_is_bounded_and_whole_in_log_and_brain() {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let policy = Policy::at(&models.url()).local(&"m".repeat(200)).spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).start().await;
    let before = AtRest::of(&routing).await;
    all_are_answered(&routing, 0..FIRST).await;
    let before = before.warm(&routing).await;
    all_are_answered(&routing, FIRST..CALLS).await;
    let log = waiting::until("the records", || async {
        let log = routing.log();
        (log.matches(DECIDED).count() >= CALLS && log.ends_with('\n')).then_some(log)
    });
    let logged = logged(&log.await);
    assert_eq!(logged.len(), CALLS, "one record for each call");

    let rate = format!("{}/pass-rate?skill=_routing&window=1h", brain.base_url());
    waiting::until_true("all records in the brain", || async { get_json(&rate).await["total"] == json!(CALLS) }).await;
    let latest = get_json(format!("{}/decisions?skill=debug&limit=100", brain.base_url())).await;
    let latest = latest["decisions"].as_array().expect("a list");
    assert_eq!(latest.len(), 100);
    for stored in latest {
        let record = &stored["decision"];
        let bytes = record.to_string().len();
        assert!((RECORD_MIN..RECORD_MAX).contains(&bytes), "{bytes} bytes");
        let logged = &logged[record["id"].as_str().expect("an id")];
        assert_eq!(SAID.map(|field| &record[field]), SAID.map(|field| &logged[field]));
    }
    drop(models);
    before.is_back(&routing).await;
}
