//! Calls that are told apart by a number: it is in the prompt, which a model gets, and in what the caller says of the call,
//! which the record of each of its model calls repeats. So requests and records can be matched one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    fault_rows::lines_of,
    fault_server::{marker, number_in},
    program::Running,
    stand_in::models::{Models, Received},
    waiting,
};

/// A model call: the number of its call, and the model.
pub type ModelCall = (usize, String);

/// The message of a call of `debug` with this number.
#[must_use]
pub fn call(number: usize) -> Value {
    let arguments = json!({"project_root": "/tmp", "problem": marker(number)});
    let params = json!({"name": "debug", "arguments": arguments, "_meta": {"claudecode/toolUseId": marker(number)}});
    json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
}

/// Waits until each request that the models got has a record. Each has exactly one, and no call asks a model twice; what
/// never reached its model is recorded as failed. Returns the error of each recorded model call, which is empty if it was
/// answered.
///
/// # Panics
/// If a record is missing or there is one too many. All calls have ended by then, and have such numbers.
pub async fn once_each(routing: &Running, models: &Models) -> BTreeMap<ModelCall, String> {
    let records = waiting::until("a record of each request", || async {
        let records = records_of(&routing.log())?;
        models.received().iter().all(|request| records.contains_key(&asked(request))).then_some(records)
    });
    let (records, received) = (records.await, models.received());
    let requests: BTreeSet<ModelCall> = received.iter().map(asked).collect();
    assert_eq!(requests.len(), received.len(), "no model is asked twice for a call");
    for (call, error) in records.iter().filter(|(call, _)| !requests.contains(*call)) {
        assert!(!error.is_empty(), "answered, and never asked: {call:?}");
    }
    println!("{} requests, {} records", requests.len(), records.len());
    records
}

fn asked(request: &Received) -> ModelCall {
    (number_in(&request.body.to_string()).expect("a number in the prompt"), request.model().to_string())
}

/// None while a line is being written.
fn records_of(log: &str) -> Option<BTreeMap<ModelCall, String>> {
    let lines = log.ends_with('\n').then(|| lines_of(log, "decided"))?;
    let mut records = BTreeMap::new();
    for record in lines {
        let text = |field: &str| record[field].as_str().unwrap_or_default().to_string();
        let number = number_in(&text("client_call_id")).expect("what the caller says of its call");
        let before = records.insert((number, text("model")), text("error"));
        assert!(before.is_none(), "two records of one model call: {record}");
    }
    Some(records)
}
