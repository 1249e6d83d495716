//! Errors of the infrastructure are no verdict on quality, whatever they are.

use std::time::Instant;

use serde_json::{Value, json};
use tests::{
    at_rest::AtRest,
    calls, get_json,
    load::Got,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

use super::{AT_A_TIME, CALLS, load_of};

/// Ways in which a local model fails, a thousand times each.
const WAYS: [&str; 5] = ["status-500", "status-429", "html", "truncated", "unknown"];

/// From the environment alone, so each call asks the local model.
async fn with_local(models: &Models, brain: &Running, local: &str) -> Running {
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("BRAIN_URL", &brain.base_url());
    let program = program.variable("HYPERGUILD_LOCAL_MODEL", local).variable("HYPERGUILD_CLAUDE_MODEL", "c");
    program.start().await
}

async fn rate(brain: &Running, skill: &str) -> Value {
    get_json(format!("{}/pass-rate?skill={skill}&window=7d", brain.base_url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_errors_of_the_infrastructure_change_no_rate() {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    for status in ["pass"; 9].into_iter().chain(["fail"]) {
        let reported = brain.mcp().result("session_log", json!({"skill": "debug", "final_status": status})).await;
        assert!(!reported.is_error(), "{reported:?}");
    }
    let before = rate(&brain, "debug").await;
    assert_eq!((&before["pass_rate"], &before["total"]), (&json!(0.9), &json!(10)));
    let (mut entries, mut ended) = (0, vec![]);
    for way in WAYS {
        let (routing, began) = (with_local(&models, &brain, way).await, Instant::now());
        let at_rest = AtRest::of(&routing).await;
        load_of(&routing)
            .calls(0..CALLS, AT_A_TIME / 4, |number, got| {
                let Got::Result(result) = got else { panic!("{way}: call {number}: {got:?}") };
                assert_eq!(result.text(0), "answer of c", "{way}: call {number}");
                assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")], "{result:?}");
                assert_eq!(result.decisions("passRate")[0], json!(0.9), "{result:?}");
            })
            .await;
        calls::print(way, CALLS, began);
        entries += 2 * CALLS;
        let known = || async { rate(&brain, "_routing").await["total"] == json!(entries) };
        waiting::until_true("both records of each call in the brain", known).await;
        ended.push((routing, at_rest));
    }
    let after = rate(&brain, "debug").await;
    let counted = ["pass_rate", "pass", "fail", "total"];
    let [before, after] = [before, after].map(|rate| counted.map(|field| rate[field].clone()));
    assert_eq!(after, before, "after a thousand errors of each kind");
    drop(models);
    for (routing, at_rest) in ended {
        routing.has_recorded(2 * CALLS).await;
        at_rest.is_back(&routing).await;
    }
}
