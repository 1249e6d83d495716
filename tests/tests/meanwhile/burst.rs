//! More calls at once than may wait for the local model: as many as may do, in their order; all others go on at once.

use std::cell::Cell;

use futures::future::join_all;
use serde_json::json;
use tests::{
    at_rest::AtRest,
    fault_server::marker,
    load::{Got, Load},
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};
use tokio::task::JoinHandle;

use super::circuit::{asked, until_load, waits, went};

/// Calls of the local model at the same time.
const PLACES: usize = 2;
/// Calls that may wait for each of them.
const WAIT: usize = 64;
/// Calls that are served or wait.
const STAY: usize = PLACES * (1 + WAIT);
/// All calls, of which the last ones come at once.
const CALLS: usize = 1000;
/// Those that are on their way at a time, besides those that came before.
const AT_A_TIME: usize = 200;
/// Calls that come together, so that their order is not known; a multiple of the places.
const GROUP: usize = 10;
/// Calls of the skill that must not go to Claude.
const KEPT: usize = 20;

fn result(number: usize, got: Got) -> CallResult {
    let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
    result
}

fn is_served(result: &CallResult) -> bool {
    result.text(0) == "answer of waits" && went(result).0 == ["local"]
}

/// All that may stay but one group, one group after the other.
async fn queue(routing: &Running) -> Vec<JoinHandle<(usize, Got)>> {
    let load = Load::over_one_connection(&routing.mcp_url());
    let mut calls = vec![];
    while calls.len() < STAY - GROUP {
        for _ in 0..GROUP {
            let (load, number) = (load.clone(), calls.len());
            calls.push(tokio::spawn(async move { load.call(number).await }));
        }
        until_load(routing, PLACES, calls.len() - PLACES).await;
    }
    calls
}

/// The queue is full, nobody else waits, and who must not go to Claude fails at once.
async fn is_full(routing: &Running, models: &Models) {
    until_load(routing, PLACES, PLACES * WAIT).await;
    assert_eq!((asked(models, "waits"), asked(models, "c")), (PLACES, CALLS - STAY));
    assert_eq!(routing.metric(r#"routing_waiting_calls{model="local"}"#).await, (PLACES * WAIT) as f64);
    let (mcp, arguments) = (routing.mcp(), json!({"project_root": "/tmp", "session_id": "s"}));
    let kept = (0..KEPT).map(|_| mcp.result("retrospective", arguments.clone()));
    for result in join_all(kept).await {
        let text = "retrospective has no answer: local (waits): not asked: 2 calls at a time are allowed (maxConcurrent), and \
                    too many wait already; not sent to Claude, because the policy keeps this skill local";
        assert!(result.is_error() && result.text(0) == text, "{result:?}");
        assert!(result.decisions("id").is_empty(), "no model was called: {result:?}");
    }
    let not_called = routing.metric(r#"routing_model_not_called_total{reason="local_busy"}"#).await;
    assert_eq!(not_called, (CALLS - STAY + KEPT) as f64);
    until_load(routing, PLACES, PLACES * WAIT).await;
}

/// Each time that all places are taken, those calls are answered.
async fn serve(models: &Models) {
    for turn in 1..=STAY / PLACES {
        waiting::until_true("all places taken", || async { asked(models, "waits") == turn * PLACES }).await;
        models.release();
    }
}

/// The group of each call that the local model was asked, in the order in which it was.
fn groups(models: &Models) -> Vec<usize> {
    let received = models.received();
    let group = |problem: &str| (0..STAY - GROUP).find(|number| problem.contains(&marker(*number)));
    let served = received.iter().filter(|request| request.model() == "waits");
    served.map(|request| group(request.message(1)).unwrap_or(STAY - GROUP) / GROUP).collect()
}

#[tokio::test]
async fn of_a_burst_64_calls_wait_for_each_place_and_are_served_in_order_while_the_rest_goes_on_at_once() {
    let models = Models::start().await;
    let skills = json!([{"name": "debug"}, {"name": "retrospective", "onLocalError": "Fail"}]);
    let policy = waits(&models, json!({"maxConcurrent": PLACES}));
    let policy = policy.spec(json!({"limits": {"inFlight": CALLS}, "skills": skills}));
    let routing = Program::serve_policy(&policy).start().await;
    let before = AtRest::of(&routing).await;
    let queue = queue(&routing).await;

    let (sent_on, served) = (Cell::new(0), Cell::new(0));
    let burst = Load::over_one_connection(&routing.mcp_url());
    let calls = burst.calls(queue.len()..CALLS, AT_A_TIME, |number, got| {
        let result = result(number, got);
        if is_served(&result) {
            served.set(served.get() + 1);
        } else {
            assert_eq!(went(&result), (vec![json!("claude_fallback")], vec![json!("local_busy")]), "{result:?}");
            assert_eq!(result.text(0), "answer of c");
            sent_on.set(sent_on.get() + 1);
        }
    });
    let meanwhile = async {
        waiting::until_true("the answers of the rest", || async { sent_on.get() == CALLS - STAY }).await;
        assert_eq!(served.get(), 0);
        is_full(&routing, &models).await;
        serve(&models).await;
    };
    tokio::join!(calls, meanwhile);

    assert_eq!((sent_on.get(), served.get()), (CALLS - STAY, GROUP));
    for call in join_all(queue).await {
        let (number, got) = call.expect("an answer");
        assert!(is_served(&result(number, got)), "call {number}");
    }
    assert_eq!(models.most_at_once("waits"), PLACES);
    assert_eq!(groups(&models), (0..STAY).map(|turn| turn / GROUP).collect::<Vec<_>>(), "first come, first served");
    routing.has_recorded(CALLS).await;
    let waited = routing.metric(r#"routing_model_wait_seconds_count{model="local"}"#).await;
    assert_eq!(waited, (CALLS + KEPT) as f64, "zero counts, too");
    drop(burst);
    before.is_back(&routing).await;
}
