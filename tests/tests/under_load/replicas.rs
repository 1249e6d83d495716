//! Several data planes of one policy, with one brain.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    Policy,
    load::{Got, Load},
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
};

/// Calls of each replica.
const CALLS: usize = 64;

/// The decision, the hash and the pass rate of every call, by its number.
async fn decisions(routing: &Running) -> BTreeMap<usize, [Vec<Value>; 2]> {
    let mut decisions = BTreeMap::new();
    Load::of(&routing.mcp_url())
        .calls(0..CALLS, 8, |number, got| {
            let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
            decisions.insert(number, ["decision", "passRate"].map(|field| result.decisions(field)));
        })
        .await;
    decisions
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_decide_each_request_alike_by_evidence_that_is_not_divided_among_them() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.8")).await);
    let policy = Policy::at(&models.url()).spec(json!({"brain": {"url": brain.url()}}));
    let replicas = [Program::serve_policy(&policy).start().await, Program::serve_policy(&policy).start().await];
    let [first, second] = [decisions(&replicas[0]).await, decisions(&replicas[1]).await];
    assert_eq!(first, second);
    let to = |decision: &str| first.values().filter(|[decided, _]| decided[..] == [json!(decision)]).count();
    assert!(to("local") > 0 && to("claude") > 0 && to("local") + to("claude") == CALLS, "{first:?}");
    assert!(first.values().all(|[_, rate]| rate[..] == [json!(0.8)]), "the whole rate, on both");
}
