//! `contract` part 3: how pass rates are requested and cached, and what happens without one.

use std::time::Duration;

use serde_json::json;
use tests::{
    Policy,
    program::{Program, Running},
    stand_in::{
        brain::{Brain, PassRate},
        models::Models,
    },
};

async fn routing(models: &Models, brain: &Brain) -> Running {
    Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("BRAIN_URL", &brain.url()).start().await
}

#[tokio::test]
async fn contract_3_the_skill_and_the_window_are_asked_for_and_a_number_is_used() {
    let (models, brain) = (Models::start().await, Brain::start(PassRate::Body(r#"{"pass_rate":0.2}"#.into())).await);
    let routing = routing(&models, &brain).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(brain.pass_rates_asked(), ["skill=debug&window=7d"]);
    assert_eq!(
        (result.text(0), result.decisions("reason")),
        ("answer of claude-sonnet-4-6", vec![json!("below_ceil")])
    );
}

#[tokio::test]
async fn contract_3_null_is_never_measured_and_goes_local() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    let routing = routing(&models, &brain).await;
    assert_eq!(routing.mcp().debug("x").await.decisions("reason"), [json!("no_pass_rate")]);
    assert_eq!(models.asked(), ["qwen35"]);
}

#[tokio::test]
async fn contract_3_a_rate_is_cached_per_skill_and_asked_for_once_however_many_calls_wait() {
    let (models, brain) = (Models::start().await, Brain::start(PassRate::After(Duration::from_millis(300))).await);
    let routing = routing(&models, &brain).await;
    let mcp = routing.mcp();
    let calls = (0..20).map(|i| {
        let mcp = mcp.clone();
        async move { mcp.debug(&format!("call {i}")).await }
    });
    for result in futures::future::join_all(calls).await {
        assert_eq!(result.decisions("decision"), [json!("claude")]);
    }
    assert_eq!(brain.pass_rates_asked().len(), 1, "one request for twenty calls");
    routing.mcp().result("retrospective", json!({"project_root": "/tmp"})).await;
    assert_eq!(brain.pass_rates_asked(), ["skill=debug&window=7d", "skill=retrospective&window=7d"]);
}

#[tokio::test]
async fn contract_3_within_the_ttl_nothing_is_asked() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let routing = routing(&models, &brain).await;
    for i in 0..20 {
        assert_eq!(routing.mcp().debug(&format!("call {i}")).await.decisions("decision"), [json!("claude")]);
    }
    assert_eq!(brain.pass_rates_asked().len(), 1);
}

#[tokio::test]
async fn contract_3_a_rate_is_asked_for_again_after_the_ttl() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let routing = Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("BRAIN_URL", &brain.url())
        .variable("HYPERGUILD_PASS_RATE_TTL_SECONDS", "1")
        .start()
        .await;
    // With the default of 60 s there would be two requests at most while this waits.
    tests::waiting::until_true("five requests", || async {
        routing.mcp().debug("x").await;
        brain.pass_rates_asked().len() >= 5
    })
    .await;
    brain.answer(Brain::rate("1.0"));
    tests::waiting::until_true("the new rate", || async {
        routing.mcp().debug("x").await.decisions("decision") == [json!("local")]
    })
    .await;
}

/// Every kind of bad answer: the call goes local, the error is counted, and the next call asks again.
#[tokio::test]
async fn contract_3_any_error_is_no_rate_is_counted_and_never_cached() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let routing = routing(&models, &brain).await;
    let bad = [
        PassRate::Status(500),
        PassRate::Status(404),
        PassRate::Status(204),
        PassRate::Body("<html>".into()),
        PassRate::Body("{}".into()),
        PassRate::Body(r#"{"pass_rate":"0.9"}"#.into()),
        PassRate::Body(r#"{"pass_rate":1.7}"#.into()),
        PassRate::Body(r#"{"pass_rate":-1}"#.into()),
        PassRate::Body(r#"{"pass_rate":NaN}"#.into()),
        PassRate::Body(" ".repeat(100_000)),
    ];
    for (i, answer) in bad.into_iter().enumerate() {
        brain.answer(answer.clone());
        let result = routing.mcp().debug("x").await;
        assert_eq!(result.decisions("reason"), [json!("no_pass_rate")], "{answer:?}");
        assert_eq!(brain.pass_rates_asked().len(), i + 1, "{answer:?}: asked again");
    }
    let status = routing.metric(r#"routing_pass_rate_errors_total{kind="status"}"#).await;
    let malformed = routing.metric(r#"routing_pass_rate_errors_total{kind="malformed"}"#).await;
    assert_eq!((status, malformed), (3.0, 7.0));
    tests::waiting::until_true("the warning", || async {
        let warned = |line: &str| line.contains(r#""level":"WARN""#) && line.contains("the brain gave no pass rate");
        routing.log().lines().any(warned)
    })
    .await;
    brain.answer(Brain::rate("0.1"));
    assert_eq!(routing.mcp().debug("x").await.decisions("decision"), [json!("claude")]);
}

#[tokio::test]
async fn contract_3_a_brain_that_takes_longer_than_a_second_is_not_waited_for() {
    let (models, brain) = (Models::start().await, Brain::start(PassRate::After(Duration::from_millis(2500))).await);
    let routing = routing(&models, &brain).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(result.decisions("decision"), [json!("local")], "the rate of 0.1 came too late");
    assert_eq!(routing.metric(r#"routing_pass_rate_errors_total{kind="unreachable"}"#).await, 1.0);
}

#[tokio::test]
async fn contract_3_from_the_environment_no_old_rate_is_held() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let routing = Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("BRAIN_URL", &brain.url())
        .variable("HYPERGUILD_PASS_RATE_TTL_SECONDS", "1")
        .start()
        .await;
    assert_eq!(routing.mcp().debug("x").await.decisions("decision"), [json!("claude")]);
    brain.answer(PassRate::Status(503));
    tests::waiting::until_true("no rate any more", || async {
        routing.mcp().debug("x").await.decisions("reason") == [json!("no_pass_rate")]
    })
    .await;
}

#[tokio::test]
async fn a_policy_may_hold_the_last_known_rate_for_a_while() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let held = json!({"brain": {"url": brain.url()}, "evidence": {"ttl": "100ms", "holdFor": "20s"}});
    let policy = Policy::at(&models.url()).spec(held);
    let routing = Program::serve_policy(&policy).start().await;
    assert_eq!(routing.mcp().debug("x").await.decisions("decision"), [json!("claude")]);
    brain.answer(PassRate::Status(503));
    tests::waiting::until_true("a failed request", || async {
        let held = routing.mcp().debug("x").await;
        let failed = routing.metric(r#"routing_pass_rate_errors_total{kind="status"}"#).await > 2.0;
        assert!(!failed || held.decisions("passRate") == [json!(0.1)], "held while the brain is down");
        failed
    })
    .await;
    tests::waiting::until_true("the end of holding", || async {
        routing.mcp().debug("x").await.decisions("reason") == [json!("no_pass_rate")]
    })
    .await;
}
