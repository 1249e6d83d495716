//! A local model that fails is left alone for a while, and one that is busy has a queue: neither makes every call wait and
//! then cost money.

use std::{collections::BTreeSet, fs, time::Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    Policy,
    fault_rows::lines_of,
    get_json,
    load::{Got, Load},
    mcp::CallResult,
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};
use tokio::task::JoinHandle;

/// Failures in a row after which the local model is left alone.
pub const FAILURES: usize = 5;
/// Logged when it is left alone, and when it is back.
pub const OPENED: &str = "the local model has failed 5 times in a row: calls go to Claude; next trial in 30 s";
pub const BACK: &str = "the local model is back: calls go to it again";
/// Calls meanwhile.
const MEANWHILE: usize = 1000;
/// Of them at a time: fewer than one address may have connections where a process has 1024 descriptors.
const AT_A_TIME: usize = 100;

/// How often a model was asked.
pub fn asked(models: &Models, model: &str) -> usize {
    models.asked().iter().filter(|asked| *asked == model).count()
}

/// The local model as `/status` shows it.
pub async fn local(routing: &Running) -> Value {
    routing.status().await["models"][0].clone()
}

pub fn went(result: &CallResult) -> (Vec<Value>, Vec<Value>) {
    (result.decisions("decision"), result.decisions("reason"))
}

/// The level of each log line with this message.
pub fn levels(routing: &Running, message: &str) -> Vec<Value> {
    let log = routing.log();
    // The last line may be half written.
    let (complete, _) = log.rsplit_once('\n').unwrap_or_default();
    lines_of(complete, message).iter().map(|line| line["level"].clone()).collect()
}

async fn set(routing: &Running, policy: &Policy) {
    let before = routing.status().await["configHash"].clone();
    fs::write(routing.folder().join("policy.yaml"), policy.to_string()).expect("written");
    waiting::until_true("the new policy", || async { routing.status().await["configHash"] != before }).await;
}

#[tokio::test]
async fn a_local_model_that_is_away_is_asked_five_times_and_left_alone_until_a_trial_shows_that_it_is_back() {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let policy = Policy::at(&models.url()).local("ill").spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).start().await;
    for i in 0..FAILURES {
        assert_eq!(local(&routing).await["circuit"], json!({"state": "closed", "failures": i, "nextTrialMs": null}));
        let result = routing.mcp().debug(&format!("problem {i}")).await;
        assert_eq!(went(&result).0, [json!("local"), json!("claude_fallback")], "{result:?}");
    }

    // Under load, all answers are Claude's, at once and with one decision each.
    let load = Load::of(&routing.mcp_url());
    load.calls(0..MEANWHILE, AT_A_TIME, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        assert_eq!(result.text(0), "answer of c");
        assert_eq!(went(&result), (vec![json!("claude_fallback")], vec![json!("local_circuit_open")]));
        assert!(result.text(1).contains("claude_fallback (c, not measured, local model away); "), "{}", result.text(1));
    })
    .await;
    assert_eq!((asked(&models, "ill"), asked(&models, "c")), (FAILURES, FAILURES + MEANWHILE));
    let circuit = local(&routing).await["circuit"].clone();
    assert_eq!((&circuit["state"], &circuit["failures"]), (&json!("open"), &json!(5)), "{circuit}");
    assert!(circuit["nextTrialMs"].as_u64().is_some(), "{circuit}");
    assert_eq!(routing.metric("routing_local_circuit_open").await, 1.0);
    let not_called = routing.metric(r#"routing_model_not_called_total{reason="local_circuit_open"}"#).await;
    assert_eq!(not_called, MEANWHILE as f64);
    waiting::until_true("the warning", || async { levels(&routing, OPENED) == ["WARN"] }).await;

    // What the brain knows: calls, why they fell back, and nothing of the local model's quality.
    let report = waiting::until("the decisions in the brain", || async {
        let report = get_json(format!("{}/api/v1/report?since=1h", brain.base_url())).await;
        (report["total"]["calls"] == json!(FAILURES + MEANWHILE)).then_some(report)
    })
    .await;
    let why = json!({"local_circuit_open": MEANWHILE, "status": FAILURES});
    let fallbacks = json!({"calls": FAILURES + MEANWHILE, "why": why});
    assert_eq!(report["total"]["fallbacks"], fallbacks, "{report}");
    let rate = get_json(format!("{}/pass-rate?skill=debug&local=ill", brain.base_url())).await;
    assert_eq!(rate["pass_rate"], json!(null), "{rate}");

    models.heal();
    waiting::until_true("the time of the trial", || async { local(&routing).await["circuit"]["state"] == "half_open" })
        .await;
    assert_eq!(asked(&models, "ill"), FAILURES, "nobody tries but a call");
    let result = routing.mcp().debug("is it back?").await;
    assert_eq!((result.text(0), went(&result).0), ("answer of ill", vec![json!("local")]));
    assert_eq!(local(&routing).await["circuit"], json!({"state": "closed", "failures": 0, "nextTrialMs": null}));
    assert_eq!(routing.metric("routing_local_circuit_open").await, 0.0);
    waiting::until_true("the line", || async { levels(&routing, BACK) == ["INFO"] }).await;
    assert_eq!(levels(&routing, OPENED), ["WARN"], "one warning for one change");
}

#[tokio::test]
async fn a_skill_that_stays_local_fails_at_once_and_the_circuit_outlives_a_reload_but_not_another_model() {
    let models = Models::start().await;
    let fails = json!({"skills": [{"name": "debug", "route": "Local"}]});
    let policy = Policy::at(&models.url()).local("ill").spec(fails);
    let routing = Program::serve_policy(&policy).start().await;
    for _ in 0..FAILURES {
        assert!(routing.mcp().debug("x").await.text(0).contains("local (ill): the endpoint answered 503"));
    }
    let refused = async |what: &str| {
        let result = routing.mcp().debug("x").await;
        let text = "debug has no answer: local (ill): not asked: it has failed 5 times in a row; next trial in ";
        assert!(result.is_error() && result.text(0).starts_with(text), "{what}: {result:?}");
        assert!(
            result.text(0).ends_with("not sent to Claude, because the policy keeps this skill local"),
            "{result:?}"
        );
        assert!(result.decisions("id").is_empty(), "{what}: no model was called");
        assert_eq!(models.asked(), ["ill"; FAILURES], "{what}");
    };
    refused("at once").await;
    let opened = "the local model has failed 5 times in a row: calls fail; next trial in 30 s";
    waiting::until_true("the warning", || async { levels(&routing, opened) == ["WARN"] }).await;
    set(&routing, &policy.clone().spec(json!({"limits": {"inFlight": 7}}))).await;
    refused("after a reload").await;
    set(&routing, &policy.local("l")).await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of l");
}

#[tokio::test]
async fn contract_5_from_the_environment_alone_every_local_error_is_retried_on_claude() {
    let models = Models::start().await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url());
    let program = program.variable("HYPERGUILD_LOCAL_MODEL", "ill").variable("HYPERGUILD_CLAUDE_MODEL", "c");
    let routing = program.start().await;
    for _ in 0..2 * FAILURES {
        assert_eq!(went(&routing.mcp().debug("x").await).0, [json!("local"), json!("claude_fallback")]);
    }
    assert_eq!(asked(&models, "ill"), 2 * FAILURES);
    assert_eq!(local(&routing).await.get("circuit"), None);
}

/// A policy whose local model waits to be released, with these limits of it.
pub fn waits(models: &Models, limits: Value) -> Policy {
    let timeouts = json!({"timeouts": {"local": "200s", "total": "280s"}});
    Policy::at(&models.url()).local("waits").spec(timeouts).spec(json!({"models": {"local": limits}}))
}

pub fn call(routing: &Running, problem: usize) -> JoinHandle<CallResult> {
    let mcp = routing.mcp();
    tokio::spawn(async move { mcp.debug(&format!("problem number {problem}.")).await })
}

pub async fn until_load(routing: &Running, in_flight: usize, waiting: usize) {
    let load = json!([in_flight, waiting]);
    waiting::until_true(&format!("{load} in flight and waiting"), || async {
        let local = local(routing).await;
        json!([local["inFlight"], local["waiting"]]) == load
    })
    .await;
}

/// How long all calls together waited for the local model, in seconds.
async fn waited(routing: &Running) -> f64 {
    routing.metric(r#"routing_model_wait_seconds_sum{model="local"}"#).await
}

/// Releases the local model until all calls have an answer.
pub async fn answers(models: &Models, calls: Vec<JoinHandle<CallResult>>) -> Vec<CallResult> {
    waiting::until_true("all answers", || async {
        models.release();
        calls.iter().all(JoinHandle::is_finished)
    })
    .await;
    join_all(calls).await.into_iter().map(|result| result.expect("an answer")).collect()
}

#[tokio::test]
async fn a_burst_waits_in_order_for_the_two_places_of_the_local_model_and_costs_nothing() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&waits(&models, json!({"maxConcurrent": 2}))).start().await;
    let (mut calls, mut began, mut queued) = (vec![], vec![], vec![]);
    for i in 0..20_usize {
        began.push(Instant::now());
        calls.push(call(&routing, i));
        // One after the other, so that their order is known.
        until_load(&routing, (i + 1).min(2), (i + 1).saturating_sub(2)).await;
        queued.push(Instant::now());
    }
    assert_eq!(routing.metric(r#"routing_waiting_calls{model="local"}"#).await, 18.0);
    let gives_up = call(&routing, 99);
    until_load(&routing, 2, 19).await;
    gives_up.abort();
    until_load(&routing, 2, 18).await;

    let released = Instant::now();
    let results = answers(&models, calls).await;
    let ended = Instant::now();
    assert!(results.iter().all(|result| result.text(0) == "answer of waits" && went(result).0 == ["local"]));
    assert_eq!((models.most_at_once("waits"), models.asked().len()), (2, 20));
    let received = models.received();
    for (turn, pair) in received.chunks(2).enumerate() {
        let expected = BTreeSet::from([2 * turn, 2 * turn + 1].map(|i| format!("problem number {i}.")));
        let asked = |problem: &String| pair.iter().any(|request| request.message(1).contains(problem));
        assert!(expected.iter().all(asked), "turn {turn} was not that of {expected:?}");
    }
    assert_eq!(routing.metric(r#"routing_model_wait_seconds_count{model="local"}"#).await, 20.0);
    // The model answered nobody before it was released, and the first two did not wait.
    let least: f64 = queued[2..].iter().map(|queued| released.duration_since(*queued).as_secs_f64()).sum();
    let most: f64 = began.iter().map(|began| ended.duration_since(*began).as_secs_f64()).sum();
    let sum = waited(&routing).await;
    assert!((least..=most).contains(&sum), "waited {sum} s, not {least} to {most} s");
    assert_eq!(routing.metric("routing_model_not_called_total").await, 0.0);
}

#[tokio::test]
async fn a_changed_limit_takes_effect_under_load_and_counts_the_calls_under_way() {
    let models = Models::start().await;
    let routing = Program::serve_policy(&waits(&models, json!({"maxConcurrent": 1}))).start().await;
    let mut calls: Vec<_> = (0..6).map(|i| call(&routing, i)).collect();
    until_load(&routing, 1, 5).await;
    set(&routing, &waits(&models, json!({"maxConcurrent": 3}))).await;
    until_load(&routing, 3, 3).await;
    set(&routing, &waits(&models, json!({"maxConcurrent": 1}))).await;
    let later = call(&routing, 6);
    until_load(&routing, 3, 4).await;
    assert_eq!(models.most_at_once("waits"), 3);
    waiting::until_true("the first three answers", || async {
        models.release();
        calls.iter().filter(|call| call.is_finished()).count() >= 3
    })
    .await;
    let _ = models.most_at_once("waits");
    calls.push(later);
    let results = answers(&models, calls).await;
    assert!(results.iter().all(|result| result.text(0) == "answer of waits"), "{results:?}");
    assert_eq!((models.most_at_once("waits"), models.asked().len()), (1, 7));
}

#[tokio::test]
async fn who_waits_for_half_of_the_attempt_in_vain_goes_to_claude_or_fails_and_neither_counts_against_the_model() {
    let models = Models::start().await;
    let limit = json!({"models": {"local": {"maxConcurrent": 1}}, "timeouts": {"local": "16s", "total": "160s"},
        "skills": [{"name": "debug"}, {"name": "retrospective", "route": "Local"}]});
    let policy = Policy::at(&models.url()).local("hangs").spec(limit);
    let routing = Program::serve_policy(&policy).start().await;
    let began = Instant::now();
    let first = call(&routing, 0);
    until_load(&routing, 1, 0).await;
    let arguments = json!({"project_root": "/tmp", "session_id": "s"});
    let mcp = routing.mcp();
    let (second, third) = tokio::join!(call(&routing, 1), mcp.result("retrospective", arguments));
    let took = began.elapsed().as_secs_f64();
    let second = second.expect("an answer");
    assert_eq!(second.text(0), "answer of c");
    assert_eq!(went(&second), (vec![json!("claude_fallback")], vec![json!("local_busy")]));
    assert!(third.is_error() && third.decisions("id").is_empty(), "{third:?}");
    let said = "retrospective has no answer: local (hangs): not asked: 1 call at a time is allowed (maxConcurrent), and none \
                ended in time; it waited 8.";
    assert!(third.text(0).starts_with(said), "{third:?}");
    let first = first.await.expect("an answer");
    assert_eq!(first.decisions("error"), [json!("timeout"), json!(null)], "{first:?}");
    assert_eq!(asked(&models, "hangs"), 1);
    assert_eq!(local(&routing).await["circuit"]["failures"], 1, "the time-out alone");
    assert_eq!(routing.metric(r#"routing_model_not_called_total{reason="local_busy"}"#).await, 2.0);
    assert_eq!(routing.metric(r#"routing_model_wait_seconds_count{model="local"}"#).await, 3.0);
    // Twice half of the 16 s of an attempt, less what came before it; the first did not wait.
    let sum = waited(&routing).await;
    assert!((15.5..=2.0 * took).contains(&sum), "waited {sum} s, not 15.5 to twice {took} s");
}

#[tokio::test]
async fn claude_has_its_own_limit_and_no_circuit() {
    let models = Models::start().await;
    let limit = json!({"models": {"claude": {"name": "hangs", "maxConcurrent": 1, "timeout": "12s"}},
        "skills": [{"name": "debug", "route": "Claude"}]});
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(limit)).start().await;
    let first = call(&routing, 0);
    waiting::until_true("the first call", || async { asked(&models, "hangs") == 1 }).await;
    let second = routing.mcp().debug("x").await;
    let said =
        "debug has no answer: claude (hangs): not asked: 1 call at a time is allowed (maxConcurrent), and none ended";
    assert!(second.is_error() && second.text(0).starts_with(said), "{second:?}");
    assert!(first.await.expect("an answer").text(0).contains("claude (hangs): no answer within 12.0 s"));
    assert_eq!(routing.metric(r#"routing_model_not_called_total{reason="claude_busy"}"#).await, 1.0);
    assert_eq!(routing.status().await["models"][1].get("circuit"), None);
}

#[tokio::test]
async fn shadow_calls_wait_for_no_place_and_are_not_made_while_the_model_is_left_alone() {
    let models = Models::start().await;
    let brain = Brain::start(Brain::rate("0.1")).await;
    let policy = |local: &str| {
        let shadow = json!({"mode": "Shadow", "share": "1"});
        let spec = json!({"brain": {"url": brain.url()}, "evidence": {"of": "Skill", "exploration": shadow},
            "models": {"local": {"maxConcurrent": 1}}, "timeouts": {"local": "100s", "total": "200s"}});
        Policy::at(&models.url()).local(local).spec(spec)
    };
    let routing = Program::serve_policy(&policy("hangs")).start().await;
    let shadows = async |result: &str, expected: f64| {
        let metric = format!(r#"routing_shadow_calls_total{{skill="debug",result="{result}"}}"#);
        waiting::until_true(&metric, || async { routing.metric(&metric).await == expected }).await;
    };
    assert_eq!(routing.mcp().debug("one").await.text(0), "answer of c");
    waiting::until_true("the first shadow call", || async { asked(&models, "hangs") == 1 }).await;
    assert_eq!(routing.mcp().debug("two").await.text(0), "answer of c");
    shadows("busy", 1.0).await;
    set(&routing, &policy("ill")).await;
    for i in 1..=FAILURES {
        assert_eq!(routing.mcp().debug(&format!("problem {i}")).await.text(0), "answer of c");
        shadows("status", i as f64).await;
    }
    assert_eq!(routing.mcp().debug("left alone").await.text(0), "answer of c");
    shadows("circuit_open", 1.0).await;
    assert_eq!((asked(&models, "hangs"), asked(&models, "ill")), (1, FAILURES));
}
