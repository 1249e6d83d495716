//! Whether the models' endpoints can be reached, and whether they have the models, is told before a caller meets it.

use serde_json::{Value, json};
use tests::{
    Policy, http, ports,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// The report about a model once it holds.
async fn report(routing: &Running, model: usize, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    waiting::until(what, || async {
        let report = routing.status().await["models"][model].clone();
        holds(&report).then_some(report)
    })
    .await
}

fn problem(report: &Value) -> &str {
    report["problem"].as_str().expect("a text")
}

#[tokio::test]
async fn a_dead_endpoint_is_told_by_status_metric_and_log_and_the_data_plane_stays_ready() {
    let models = Models::start().await;
    let dead = format!("127.0.0.1:{}", ports::free());
    let claude = json!({"models": {"claude": {"upstream": {"url": models.url()}}}});
    let policy = Policy::at(&format!("http://{dead}")).spec(claude);
    let routing = Program::serve_policy(&policy).start().await;

    let down = report(&routing, 0, "the dead endpoint", |report| report["reachable"] == json!(false)).await;
    let named = [&down["name"], &down["model"], &down["endpoint"]];
    assert_eq!(named, [&json!("local"), &json!("l"), &json!(dead)]);
    assert!(problem(&down).starts_with("cannot be reached: the connection was refused; start the endpoint"), "{down}");
    assert!(down["sinceMs"].as_u64().is_some_and(|since| since > 0), "{down}");
    let up = report(&routing, 1, "the other endpoint", |report| report["reachable"] == json!(true)).await;
    assert_eq!((&up["name"], &up["modelsStatus"], problem(&up)), (&json!("claude"), &json!(404), ""));

    assert_eq!(routing.metric(r#"routing_upstream_reachable{model="local"}"#).await, 0.0);
    assert_eq!(routing.metric(r#"routing_upstream_reachable{model="claude"}"#).await, 1.0);
    waiting::until_true("the warning", || async { routing.log().contains("the model's endpoint has a problem") }).await;
    let ready = http().get(format!("http://127.0.0.1:{}/readyz", routing.ports.admin)).send().await.expect("an answer");
    assert_eq!(ready.status(), 200, "another data plane would reach it no better");
    let metrics = routing.admin("/metrics").await;
    assert!(models.received().is_empty() && !metrics.contains("routing_decisions_total{"), "no call: {metrics}");

    // Corrected: the new endpoint is asked at once.
    std::fs::write(routing.folder().join("policy.yaml"), Policy::at(&models.url()).to_string()).expect("written");
    let up = report(&routing, 0, "the right endpoint", |report| report["reachable"] == json!(true)).await;
    assert_eq!(problem(&up), "");
    assert!(up["sinceMs"].as_u64() >= down["sinceMs"].as_u64(), "{up}");
}

#[tokio::test]
async fn a_model_that_its_endpoint_does_not_list_is_named_with_those_that_it_lists() {
    let list = json!({"object": "list", "data": [{"id": "c"}, {"id": "qwen35"}, {"id": "bad\nroot: x"}]});
    let models = Models::start_listing(200, list).await;
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("qwen53")).start().await;
    let wrong = report(&routing, 0, "the list", |report| report["problem"] != json!("")).await;
    let said =
        "does not list the model qwen53; correct its name, or add it there; it lists qwen35, bad\\u{a}root: x, c";
    assert_eq!((problem(&wrong), &wrong["reachable"]), (said, &json!(true)));
    assert_eq!(routing.status().await["models"][1]["problem"], "");
    // An endpoint with one model may answer to any name: then nothing is wrong.
    assert!(!routing.mcp().debug("x").await.is_error());
    report(&routing, 0, "the answered call", |report| report["problem"] == json!("")).await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_the_key_is_reachable_and_the_refusal_is_told() {
    let models = Models::start_listing(401, json!({"error": {"message": "bad key: canary"}})).await;
    let routing = Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("LITELLM_API_KEY", "canary-key")
        .start()
        .await;
    let refused = report(&routing, 0, "the refusal", |report| report["modelsStatus"] == json!(401)).await;
    assert_eq!(refused["reachable"], json!(true));
    assert!(problem(&refused).starts_with("answered 401 to GET /v1/models: the key was refused; correct"), "{refused}");
    let everything = routing.admin("/status").await + &routing.admin("/metrics").await + &routing.log();
    assert!(!everything.contains("canary"), "{everything}");
}

#[tokio::test]
async fn a_model_that_the_policy_has_no_more_leaves_no_figure_behind() {
    let models = Models::start().await;
    let grader = json!({"models": {"grader": {"name": "g"}}});
    let with_grader = Policy::at(&models.url()).spec(grader).to_string();
    let routing = Program::serve_policy(&with_grader).start().await;
    let has = async |metric: &str| routing.admin("/metrics").await.contains(metric);
    let figures = [r#"routing_upstream_reachable{model="grader"}"#, r#"routing_waiting_calls{model="grader"}"#];
    for figure in figures {
        waiting::until_true(figure, || has(figure)).await;
    }
    std::fs::write(routing.folder().join("policy.yaml"), Policy::at(&models.url()).to_string()).expect("written");
    for figure in figures {
        waiting::until_true(figure, async || !has(figure).await).await;
    }
    assert!(has(r#"routing_upstream_reachable{model="local"}"#).await, "the others stay");
}
