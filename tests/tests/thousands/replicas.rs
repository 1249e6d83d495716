//! Three data planes of one policy, with one brain.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    Policy,
    load::Load,
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
};

use super::{CALLS, calls};

/// What was decided of each content, and why.
async fn decisions(routing: &Running) -> BTreeMap<usize, [Vec<Value>; 3]> {
    let mut decisions = BTreeMap::new();
    calls(&Load::over_one_connection(&routing.mcp_url()), |number, result| {
        decisions.insert(number, ["decision", "reason", "passRate"].map(|field| result.decisions(field)));
    })
    .await;
    decisions
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_decide_a_thousand_contents_alike() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.8")).await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.url()}}));
    let start = || Program::serve_policy(&policy).start();
    let (one, two, three) = tokio::join!(start(), start(), start());
    let (first, second, third) = tokio::join!(decisions(&one), decisions(&two), decisions(&three));
    assert!(first == second && first == third, "{first:?}\n{second:?}\n{third:?}");
    let to = |decision: &str| first.values().filter(|[decided, ..]| decided[..] == [json!(decision)]).count();
    println!("{} local, {} claude", to("local"), to("claude"));
    assert!(to("local") > CALLS / 4 && to("claude") > CALLS / 4 && to("local") + to("claude") == CALLS);
    let split = |[_, reason, rate]: &[Vec<Value>; 3]| reason[..] == [json!("split")] && rate[..] == [json!(0.8)];
    assert!(first.values().all(split), "by the whole rate, on each of them");
}
