//! Three data planes of one policy, with one brain.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    load::Load,
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
};

use super::{CALLS, calls};

/// What was decided of each content, and why; and what the replica must be back at.
async fn decisions(routing: &Running) -> (BTreeMap<usize, [Vec<Value>; 3]>, AtRest) {
    let mut decisions = BTreeMap::new();
    let before = calls(routing, Load::over_one_connection(&routing.mcp_url()), |number, result| {
        decisions.insert(number, ["decision", "reason", "passRate"].map(|field| result.decisions(field)));
    })
    .await;
    (decisions, before)
}

/// Each of its calls has one record, and nothing is left of them.
async fn is_done(routing: &Running, before: AtRest) {
    routing.has_recorded(CALLS).await;
    before.is_back(routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_decide_a_thousand_contents_alike() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.8")).await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.url()}}));
    let start = || Program::serve_policy(&policy).start();
    let (one, two, three) = tokio::join!(start(), start(), start());
    let made = tokio::join!(decisions(&one), decisions(&two), decisions(&three));
    let ((first, of_one), (second, of_two), (third, of_three)) = made;
    assert!(first == second && first == third, "{first:?}\n{second:?}\n{third:?}");
    let to = |decision: &str| first.values().filter(|[decided, ..]| decided[..] == [json!(decision)]).count();
    println!("{} local, {} claude", to("local"), to("claude"));
    assert!(to("local") > CALLS / 4 && to("claude") > CALLS / 4 && to("local") + to("claude") == CALLS);
    let split = |[_, reason, rate]: &[Vec<Value>; 3]| reason[..] == [json!("split")] && rate[..] == [json!(0.8)];
    assert!(first.values().all(split), "by the whole rate, on each of them");
    drop((models, brain));
    tokio::join!(is_done(&one, of_one), is_done(&two, of_two), is_done(&three, of_three));
}
