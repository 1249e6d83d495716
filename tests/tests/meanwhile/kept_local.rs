//! A skill that the pass rate decides about, and that must not go to Claude instead of the local model.

use serde_json::json;
use tests::{
    Policy,
    at_rest::AtRest,
    load::{Got, Load},
    program::Program,
    stand_in::models::Models,
    waiting,
};

use super::circuit::{FAILURES, levels, local, went};

/// Calls while the local model is left alone.
const CALLS: usize = 1000;
/// Of them at a time.
const AT_A_TIME: usize = 200;

#[tokio::test]
async fn with_on_local_error_fail_a_skill_fails_at_once_and_neither_model_is_called_while_others_go_to_claude() {
    let models = Models::start().await;
    let skills = json!({"skills": [{"name": "debug", "onLocalError": "Fail"}, {"name": "retrospective"}]});
    let routing = Program::serve_policy(&Policy::at(&models.url()).local("ill").spec(skills)).start().await;
    let before = AtRest::of(&routing).await;
    for i in 0..FAILURES {
        let result = routing.mcp().debug(&format!("problem {i}")).await;
        assert!(result.is_error() && result.decisions("error") == ["status"], "{result:?}");
        assert_eq!(went(&result), (vec![json!("local")], vec![json!("no_pass_rate")]));
    }
    assert_eq!(local(&routing).await["circuit"]["state"], "open");

    let load = Load::over_one_connection(&routing.mcp_url());
    load.calls(0..CALLS, AT_A_TIME, |number, got| {
        let Got::Result(result) = got else { panic!("call {number}: {got:?}") };
        let text = "debug has no answer: local (ill): not asked: it has failed 5 times in a row; next trial in ";
        let why = "; not sent to Claude, because the policy keeps this skill local";
        assert!(result.is_error() && result.text(0).starts_with(text) && result.text(0).ends_with(why), "{result:?}");
        assert!(result.decisions("id").is_empty(), "no model was called: {result:?}");
    })
    .await;
    assert_eq!(models.asked(), ["ill"; FAILURES]);
    let other = routing.mcp().result("retrospective", json!({"project_root": "/tmp", "session_id": "s"})).await;
    assert_eq!(other.text(0), "answer of c");
    assert_eq!(went(&other), (vec![json!("claude_fallback")], vec![json!("local_circuit_open")]));

    // What was not called has no record; it is counted, and the warning says both.
    routing.has_recorded(FAILURES + 1).await;
    let not_called = routing.metric(r#"routing_model_not_called_total{reason="local_circuit_open"}"#).await;
    assert_eq!(not_called, (CALLS + 1) as f64);
    let failed = routing.metric(r#"routing_calls_total{skill="debug",result="failed"}"#).await;
    assert_eq!(failed, (FAILURES + CALLS) as f64);
    let opened = "the local model has failed 5 times in a row: calls go to Claude, or fail where onLocalError is Fail; next \
                  trial in 30 s";
    waiting::until_true("the warning", || async { levels(&routing, opened) == ["WARN"] }).await;
    drop(load);
    before.is_back(&routing).await;
}
