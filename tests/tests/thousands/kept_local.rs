//! While the local model fails, neither the token nor a policy that keeps prompts local is skipped.

use serde_json::{Value, json};
use tests::{
    Policy,
    at_rest::AtRest,
    load::Got,
    program::{Program, Running},
    stand_in::models::Models,
};

use super::{AT_A_TIME, CALLS, calls, load_of};

const TOKEN: &str = "s3cret";

/// A data plane whose local model fails, and whose endpoint only the holder of a token may call.
async fn closed(models: &Models, spec: Value) -> Running {
    let access = json!({"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]});
    let policy = Policy::at(&models.url()).local("status-500").spec(json!({"access": access})).spec(spec);
    let program = Program::serve_policy(&policy).variable("ROUTING_SECRET_VARIABLES", "TOKEN");
    program.variable("TOKEN", TOKEN).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_without_the_token_reach_no_model_and_with_it_each_is_one_call_of_claude() {
    let models = Models::start().await;
    let routing = closed(&models, json!({})).await;
    let before = AtRest::of(&routing).await;
    let refused = |number: usize, got: Got| {
        assert!(matches!(&got, Got::Refused(401, _)), "call {number}: {got:?}");
    };
    load_of(&routing).calls(0..CALLS / 2, AT_A_TIME, refused).await;
    load_of(&routing).token("another").calls(CALLS / 2..CALLS, AT_A_TIME, refused).await;
    assert!(models.asked().is_empty(), "no model was asked");
    assert_eq!(routing.metric(r#"routing_refused_requests_total{kind="unauthorized"}"#).await, CALLS as f64);
    before.is_back(&routing).await;

    let before = calls(&routing, load_of(&routing).token(TOKEN), |number, result| {
        assert_eq!(result.text(0), "answer of c", "call {number}");
        assert_eq!(result.decisions("decision").last(), Some(&json!("claude_fallback")), "{result:?}");
    })
    .await;
    assert_eq!(models.asked().iter().filter(|model| *model == "c").count(), CALLS, "once for each call");
    routing.has_recorded(models.asked().len()).await;
    drop(models);
    before.is_back(&routing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_of_a_skill_that_stays_local_send_nothing_to_claude() {
    let models = Models::start().await;
    let routing = closed(&models, json!({"skills": [{"name": "debug", "route": "Local"}]})).await;
    let before = calls(&routing, load_of(&routing).token(TOKEN), |number, result| {
        let kept = result.text(0).contains("not sent to Claude, because the policy keeps this skill local");
        assert!(result.is_error() && kept, "call {number}: {result:?}");
    })
    .await;
    let asked = models.asked();
    assert!(asked.iter().all(|model| model == "status-500"), "{asked:?}");
    routing.has_recorded(asked.len()).await;
    drop(models);
    before.is_back(&routing).await;
}
