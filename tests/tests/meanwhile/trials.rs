//! The trials of a local model that was left alone, under load: one at a time, whatever becomes of it.

use std::{
    cell::{Cell, RefCell},
    path::Path,
    time::UNIX_EPOCH,
};

use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    volume, waiting,
};

use super::circuit::{BACK, FAILURES, OPENED, answers, asked, call, levels, local, went};

/// It answers when it is released, and badly until it is healed.
const LOCAL: &str = "ill-and-slow";
/// Calls while a trial is due.
const AT_ONCE: usize = 100;
/// Logged when the first trial has failed.
const FAILED: &str = "the trial of the local model failed; next trial in 60 s";

fn give_key(folder: &Path, key: &str) {
    volume::swap(&folder.join("secrets/s"), &format!("..{key}"), &[("KEY", key)]);
}

/// The way of a call that does without the local model.
fn left_out() -> (Vec<Value>, Vec<Value>) {
    (vec![json!("claude_fallback")], vec![json!("local_circuit_open")])
}

async fn state(routing: &Running) -> Value {
    local(routing).await["circuit"]["state"].clone()
}

/// With another key a trial is due at once; of a hundred calls it is made by one, whose result is returned.
async fn trial(routing: &Running, models: &Models, key: &str, first: usize) -> CallResult {
    give_key(routing.folder(), key);
    waiting::until_true("the time of a trial", || async { state(routing).await == "half_open" }).await;
    let before = asked(models, LOCAL);
    let (others, trial) = (Cell::new(0), RefCell::new(None::<CallResult>));
    let load = Load::over_one_connection(&routing.mcp_url());
    let calls = load.calls(first..first + AT_ONCE, AT_ONCE, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        if went(&result) == left_out() {
            assert_eq!(result.text(0), "answer of c");
            others.set(others.get() + 1);
        } else if let Some(earlier) = trial.replace(Some(result)) {
            panic!("call {number} was a trial, too, after {earlier:?}");
        }
    });
    let released = async {
        waiting::until_true("the answers of all others", || async { others.get() == AT_ONCE - 1 }).await;
        waiting::until_true("the trial", || async { asked(models, LOCAL) > before }).await;
        assert_eq!(state(routing).await, "half_open");
        models.release();
    };
    tokio::join!(calls, released);
    assert_eq!(asked(models, LOCAL), before + 1, "one trial at a time");
    trial.into_inner().expect("a trial")
}

#[tokio::test]
async fn of_a_hundred_calls_at_once_one_is_the_trial_and_the_others_go_to_claude_whether_it_fails_or_works() {
    let models = Models::start().await;
    let key = json!({"upstream": {"apiKeySecretRef": {"name": "s", "key": "KEY"}}});
    let program = Program::serve_policy(&Policy::at(&models.url()).local(LOCAL).spec(key));
    give_key(program.folder(), "one");
    let routing = program.start().await;
    let before = AtRest::of(&routing).await;
    let calls: Vec<_> = (0..FAILURES).map(|i| call(&routing, i)).collect();
    for result in answers(&models, calls).await {
        assert_eq!(result.decisions("error"), [json!("status"), json!(null)], "{result:?}");
    }
    assert_eq!(state(&routing).await, "open");

    let failed = trial(&routing, &models, "two", 0).await;
    assert_eq!(failed.text(0), "answer of c", "its caller loses nothing");
    assert_eq!(failed.decisions("decision"), ["local", "claude_fallback"]);
    assert_eq!(failed.decisions("error"), [json!("status"), json!(null)]);
    let circuit = local(&routing).await["circuit"].clone();
    assert_eq!((&circuit["state"], &circuit["failures"]), (&json!("open"), &json!(FAILURES + 1)), "{circuit}");
    let now = UNIX_EPOCH.elapsed().expect("a time after 1970").as_millis();
    let next = u128::from(circuit["nextTrialMs"].as_u64().expect("a time")).saturating_sub(now);
    assert!((30_001..=60_000).contains(&next), "twice the 30 s before: {circuit}");
    assert_eq!(went(&routing.mcp().debug("after it").await), left_out());
    assert_eq!(asked(&models, LOCAL), FAILURES + 1);
    waiting::until_true("the line", || async { levels(&routing, FAILED) == ["INFO"] }).await;
    assert_eq!(routing.metric("routing_local_circuit_open").await, 1.0);

    models.heal();
    let worked = trial(&routing, &models, "three", AT_ONCE).await;
    assert_eq!((worked.text(0), went(&worked).0), ("answer of ill", vec![json!("local")]));
    assert_eq!(local(&routing).await["circuit"], json!({"state": "closed", "failures": 0, "nextTrialMs": null}));
    assert_eq!(routing.metric("routing_local_circuit_open").await, 0.0);
    waiting::until_true("the line", || async { levels(&routing, BACK) == ["INFO"] }).await;
    assert_eq!(levels(&routing, OPENED), ["WARN"], "that a trial failed changed nothing for callers");

    // A failure on the way to the open circuit is two model calls, and so is the trial that failed.
    routing.has_recorded(2 * FAILURES + (AT_ONCE + 1) + 1 + AT_ONCE).await;
    let not_called = routing.metric(r#"routing_model_not_called_total{reason="local_circuit_open"}"#).await;
    assert_eq!(not_called, (2 * (AT_ONCE - 1) + 1) as f64);
    before.is_back(&routing).await;
}
