//! A brain that is away is not a skill that was never measured, as long as its last rate may be held.

use serde_json::json;
use tests::{
    Policy,
    program::{Program, Running},
    stand_in::{
        brain::{Brain, PassRate},
        models::Models,
    },
    waiting,
};

use super::{CALLS, calls, load_of};

/// A data plane whose brain gave a rate of 0.1 once, and nothing since.
async fn without_its_brain(hold_for: &str) -> (Models, Brain, Running) {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let spec = json!({"brain": {"url": brain.url()}, "evidence": {"ttl": "100ms", "holdFor": hold_for}});
    let routing = Program::serve_policy(&Policy::at(&models.url()).spec(spec)).start().await;
    assert_eq!(routing.mcp().debug("x").await.decisions("decision"), [json!("claude")]);
    brain.answer(PassRate::Status(503));
    waiting::until_true("a failed request", || async {
        routing.mcp().debug("x").await;
        routing.metric(r#"routing_pass_rate_errors_total{kind="status"}"#).await > 0.0
    })
    .await;
    (models, brain, routing)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_are_decided_by_the_held_rate_of_a_brain_that_is_away() {
    let (models, _brain, routing) = without_its_brain("1h").await;
    let before = calls(&routing, load_of(&routing), |number, result| {
        let decided = ["decision", "reason", "passRate"].map(|field| result.decisions(field));
        assert_eq!(decided, [[json!("claude")], [json!("below_ceil")], [json!(0.1)]], "call {number}");
    })
    .await;
    assert!(models.asked().iter().all(|model| model == "c"), "nothing went to the local model");
    routing.has_recorded(models.asked().len()).await;
    drop(models);
    before.is_back(&routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_after_the_held_rate_has_expired_are_local_as_those_of_a_skill_that_was_never_measured() {
    let (models, _brain, routing) = without_its_brain("1s").await;
    waiting::until_true("the end of holding", || async {
        routing.mcp().debug("x").await.decisions("reason") == [json!("no_pass_rate")]
    })
    .await;
    let asked = models.asked().len();
    let before = calls(&routing, load_of(&routing), |number, result| {
        let decided = ["decision", "reason", "passRate"].map(|field| result.decisions(field));
        assert_eq!(decided, [[json!("local")], [json!("no_pass_rate")], [json!(null)]], "call {number}");
    })
    .await;
    assert_eq!(models.asked()[asked..].iter().filter(|model| *model == "l").count(), CALLS);
    routing.has_recorded(models.asked().len()).await;
    drop(models);
    before.is_back(&routing).await;
}
