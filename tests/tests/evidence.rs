//! The real brain and a real data plane: verdicts count for the model that answered.

use serde_json::{Value, json};
use tests::{
    Policy, get_json,
    mcp::CallResult,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

struct Evidence {
    brain: Running,
    routing: Running,
    _models: Models,
}

impl Evidence {
    async fn start(local: &str, spec: Value) -> Self {
        let models = Models::start().await;
        let brain = Program::brain().start().await;
        let measured = json!({"brain": {"url": brain.base_url()}, "evidence": {"ttl": "50ms"}});
        let policy = Policy::at(&models.url()).local(local).claude("claude-model").spec(measured).spec(spec);
        let routing = Program::serve_policy(&policy).start().await;
        Self { brain, routing, _models: models }
    }

    /// Reports how the answer of a call turned out.
    async fn report(&self, result: &CallResult, status: &str) -> CallResult {
        let id = result.decisions("id").last().cloned().expect("a decision");
        let entry = json!({"skill": "debug", "phase": "outcome", "final_status": status, "decision_id": id});
        self.brain.mcp().result("session_log", entry).await
    }

    async fn rates(&self) -> Value {
        get_json(format!("{}/pass-rate?skill=debug&local=local-model&claude=claude-model", self.brain.base_url())).await
    }
}

fn went_to(result: &CallResult) -> String {
    result.decisions("decision").last().and_then(Value::as_str).expect("a decision").to_string()
}

#[tokio::test]
async fn a_model_that_is_never_right_gets_no_call_however_good_the_other_one_is() {
    let it = Evidence::start("local-model", json!({})).await;
    let mut local = vec![];
    for i in 0..60 {
        let result = it.routing.mcp().debug(&format!("problem {i}")).await;
        let went = went_to(&result);
        let status = if went == "local" { "fail" } else { "pass" };
        assert!(!it.report(&result, status).await.is_error());
        local.push(went == "local");
        waiting::until_true("the verdict to count", || async {
            let rates = it.rates().await;
            let judged =
                |rate: &Value| rate["pass"].as_i64().unwrap_or_default() + rate["fail"].as_i64().unwrap_or_default();
            judged(&rates) + judged(&rates["claude"]) == i + 1
        })
        .await;
    }
    assert_eq!(local.iter().skip(20).filter(|local| **local).count(), 0, "{local:?}");
    let rates = it.rates().await;
    assert_eq!((&rates["pass_rate"], &rates["claude"]["pass_rate"]), (&json!(0.0), &json!(1.0)), "{rates}");
}

#[tokio::test]
async fn passes_of_claude_while_the_local_model_is_away_change_nothing_for_it() {
    let it = Evidence::start("status-500", json!({})).await;
    for i in 0..4 {
        let result = it.routing.mcp().debug(&format!("problem {i}")).await;
        assert_eq!(went_to(&result), "claude_fallback");
        assert!(!it.report(&result, "pass").await.is_error());
    }
    waiting::until_true("the verdicts", || async { it.rates().await["claude"]["pass"] == 4 }).await;
    let url = format!("{}/pass-rate?skill=debug&local=status-500", it.brain.base_url());
    assert_eq!(get_json(url).await["pass_rate"], json!(null), "never measured");
    let result = it.routing.mcp().debug("once more").await;
    assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")]);
    assert_eq!(result.decisions("passRate")[0], json!(null));
}

#[tokio::test]
async fn every_false_report_is_refused_with_a_sentence_and_doubles_change_nothing() {
    let it = Evidence::start("local-model", json!({})).await;
    let result = it.routing.mcp().debug("x").await;
    let id = result.decisions("id")[0].clone();
    waiting::until_true("the decision in the brain", || async { it.rates().await["decisions"] == 1 }).await;
    for (entry, reason) in [
        (
            json!({"skill": "debug", "final_status": "pass", "decision_id": "nonsense"}),
            "must be the id in the answer's",
        ),
        (json!({"skill": "trainer", "final_status": "pass", "decision_id": id}), "is one of debug, not of trainer"),
        (
            json!({"skill": "debug", "final_status": "retract", "decision_id": id}),
            "to take back; on it stands: nothing",
        ),
        (json!({"skill": "debug", "final_status": "pass", "source": "me"}), "argument source"),
    ] {
        let refused = it.brain.mcp().result("session_log", entry.clone()).await;
        assert!(refused.is_error() && refused.text(0).contains(reason), "{entry}: {}", refused.text(0));
    }
    for _ in 0..3 {
        it.report(&result, "pass").await;
        it.report(&result, "fail").await;
    }
    let rates = it.rates().await;
    assert_eq!((&rates["pass"], &rates["fail"]), (&json!(0), &json!(1)), "{rates}");
    let misspelt = json!({"skill": "debugg", "final_status": "fail"});
    let told = it.brain.mcp().result("session_log", misspelt).await;
    assert!(told.text(0).contains("No decision of a skill debugg is known. Did you mean debug?"), "{}", told.text(0));
}
