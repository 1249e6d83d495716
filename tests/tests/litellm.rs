//! Against a real LiteLLM proxy. Only its models are mocks.

use serde_json::{Value, json};
use tests::{
    Policy,
    litellm::{KEY, LiteLlm},
    program::{Program, Running},
    waiting,
};

/// A data plane and a brain of our own around the proxy.
struct Stack {
    routing: Running,
    brain: Running,
    proxy: std::sync::Arc<LiteLlm>,
}

impl Stack {
    async fn start(local: &str, claude: &str) -> Self {
        let proxy = LiteLlm::shared().await;
        let brain = Program::brain().start().await;
        let program = Program::serve()
            .variable("LITELLM_BASE_URL", &proxy.url())
            .variable("LITELLM_API_KEY", KEY)
            .variable("BRAIN_URL", &brain.base_url())
            .variable("HYPERGUILD_LOCAL_MODEL", local)
            .variable("HYPERGUILD_CLAUDE_MODEL", claude);
        Self { routing: program.start().await, brain, proxy }
    }

    /// The decision records that the brain holds, once there are that many.
    async fn records(&self, count: usize) -> Vec<Value> {
        let url = format!("{}/sessions/_routing", self.brain.base_url());
        waiting::until("the records", || async {
            let body: Value = tests::http().get(&url).send().await.ok()?.json().await.ok()?;
            let records: Vec<Value> =
                body["entries"].as_array()?.iter().map(|entry| entry["decision"].clone()).collect();
            Some(records).filter(|records| records.len() >= count)
        })
        .await
    }

    async fn report(&self, outcomes: &[(&str, usize)]) {
        for (status, times) in outcomes {
            for _ in 0..*times {
                let entry = json!({"skill": "debug", "phase": "outcome", "final_status": status});
                assert!(!self.brain.mcp().result("session_log", entry).await.is_error());
            }
        }
    }
}

#[tokio::test]
async fn a_local_call() {
    let stack = Stack::start("qwen35", "claude-sonnet-4-6").await;
    let result = stack.routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer from the local mock");
    let [record] = stack.records(1).await.try_into().expect("one record");
    assert_eq!(
        (&record["decision"], &record["model"], &record["answered_by"]),
        (&json!("local"), &json!("qwen35"), &json!("qwen35"))
    );
    assert_eq!(
        (&record["gateway_fallback"], &record["prompt_tokens"], &record["error"]),
        (&json!(false), &json!(10), &json!(null))
    );
}

#[tokio::test]
async fn a_claude_call_by_the_measured_pass_rate() {
    let stack = Stack::start("qwen35", "claude-sonnet-4-6").await;
    stack.report(&[("pass", 6), ("fail", 4)]).await;
    let result = stack.routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer from the claude mock");
    let [record] = stack.records(1).await.try_into().expect("one record");
    assert_eq!((&record["decision"], &record["reason"]), (&json!("claude"), &json!("below_ceil")));
    assert_eq!(
        (&record["pass_rate"], &record["samples"], &record["answered_by"]),
        (&json!(0.6), &json!(10), &json!("claude-sonnet-4-6"))
    );
}

#[tokio::test]
async fn a_local_error_falls_back_to_claude() {
    for local in ["local-500", "local-429", "local-context", "local-empty", "local-refused", "no-such-model"] {
        let stack = Stack::start(local, "claude-sonnet-4-6").await;
        let result = stack.routing.mcp().debug("x").await;
        assert_eq!(result.text(0), "answer from the claude mock", "{local}");
        assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")], "{local}");
        let error = match local {
            "local-empty" => "empty",
            "no-such-model" => "unknown_model",
            _ => "status",
        };
        assert_eq!(result.decisions("error"), [json!(error), json!(null)], "{local}");
    }
}

#[tokio::test]
async fn a_local_timeout_falls_back_to_claude() {
    let proxy = LiteLlm::shared().await;
    let policy = Policy::at(&proxy.url()).local("local-slow").claude("claude-sonnet-4-6").spec(json!({
        "upstream": {"apiKeySecretRef": {"name": "s", "key": "LITELLM_API_KEY"}},
        "timeouts": {"local": "2s", "total": "50s"},
    }));
    let routing = Program::serve_policy(&policy).variable("LITELLM_API_KEY", KEY).start().await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer from the claude mock", "{result:?}");
    assert_eq!(result.decisions("error"), [json!("timeout"), json!(null)]);
}

#[tokio::test]
async fn both_failing_is_one_error_that_names_both() {
    let stack = Stack::start("local-500", "claude-500").await;
    let result = stack.routing.mcp().debug("x").await;
    assert!(result.is_error());
    assert_eq!(
        result.text(0),
        "debug has no answer: local (local-500): the endpoint answered 500 (internal_server_error); \
         claude_fallback (claude-500): the endpoint answered 500 (internal_server_error)"
    );
    let records = stack.records(2).await;
    assert_eq!((&records[0]["decision"], &records[1]["decision"]), (&json!("local"), &json!("claude_fallback")));
}

#[tokio::test]
async fn the_proxys_own_fallback_is_recognised_in_the_record() {
    let stack = Stack::start("local-gateway-fallback", "claude-sonnet-4-6").await;
    let result = stack.routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer from the claude mock");
    let [record] = stack.records(1).await.try_into().expect("one record");
    assert_eq!((&record["decision"], &record["model"]), (&json!("local"), &json!("local-gateway-fallback")));
    assert_eq!((&record["gateway_fallback"], &record["answered_by"]), (&json!(true), &json!("claude-sonnet-4-6")));
    assert_eq!(result.decisions("model"), [json!("claude-sonnet-4-6")], "the caller sees which model answered");
    assert_eq!(stack.routing.metric(r#"routing_gateway_fallbacks_total{skill="debug"}"#).await, 1.0);
}

#[tokio::test]
async fn a_wrong_key_is_an_error_with_the_proxys_own_reason() {
    let proxy = LiteLlm::shared().await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &proxy.url()).variable("LITELLM_API_KEY", "sk-wrong");
    let result = program.start().await.mcp().debug("x").await;
    assert!(result.is_error() && result.text(0).contains("the endpoint answered 400 (no_db_connection)"), "{result:?}");
}

#[tokio::test]
async fn contract_9_the_smoke_script_passes_against_the_proxy_and_the_brain() {
    let stack = Stack::start("qwen35", "claude-sonnet-4-6").await;
    let smoke = |key: &'static str, routing: Option<String>, brain: String, upstream: String| async move {
        let mut command = tokio::process::Command::new(tests::checkout().join("tests/smoke.sh"));
        command.env_clear().envs([("PATH", "/usr/bin:/bin:/usr/local/bin"), ("LITELLM_API_KEY", key)]);
        command.env("ROUTING_BIN", tests::program::binary()).env("BRAIN_URL", brain).env("LITELLM_BASE_URL", upstream);
        if let Some(routing) = routing {
            command.env("ROUTING_URL", routing);
        }
        let output = command.output().await.expect("the script runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (brain, proxy) = (stack.brain.base_url(), stack.proxy.url());
    let (ok, printed) = smoke(KEY, None, brain.clone(), proxy.clone()).await;
    assert!(ok && printed.trim_end().ends_with("PASS"), "its own binary: {printed}");
    let (ok, printed) = smoke(KEY, Some(stack.routing.base_url()), brain.clone(), proxy.clone()).await;
    assert!(ok && printed.trim_end().ends_with("PASS"), "the one at ROUTING_URL: {printed}");
    let (ok, printed) = smoke("sk-wrong", None, brain.clone(), proxy.clone()).await;
    assert!(!ok && printed.contains("FAIL: ") && printed.contains("LITELLM_API_KEY"), "a wrong key: {printed}");
    let broken = Program::serve().start().await;
    let (ok, printed) = smoke(KEY, Some(broken.base_url()), brain.clone(), proxy.clone()).await;
    assert!(!ok && printed.contains("FAIL: "), "a data plane without models: {printed}");
    let nobody = format!("http://127.0.0.1:{}", tests::ports::free());
    for (brain, proxy) in [(nobody.clone(), proxy), (brain, nobody)] {
        let (ok, printed) = smoke(KEY, None, brain, proxy).await;
        assert!(ok && printed.contains("SKIP"), "one of them is down: {printed}");
    }
}

#[test]
fn contract_9_the_scripts_defaults_are_the_contracts() {
    let script = std::fs::read_to_string(tests::checkout().join("tests/smoke.sh")).expect("text");
    assert!(script.contains("litellm=${LITELLM_BASE_URL:-http://piguard:4000}"));
    assert!(script.contains("brain=${BRAIN_URL:-http://koala:30330}"));
    let makefile = std::fs::read_to_string(tests::checkout().join("Makefile")).expect("text");
    assert!(makefile.contains("tests/smoke.sh $(ARGS)"), "make smoke runs it");
}

#[tokio::test]
async fn its_list_of_models_is_read_and_a_misspelt_model_is_named() {
    let stack = Stack::start("qwen53", "claude-sonnet-4-6").await;
    let models = waiting::until("the list", || async {
        let models = stack.routing.status().await["models"].clone();
        (models[0]["problem"] != json!("")).then_some(models)
    })
    .await;
    let problem = models[0]["problem"].as_str().unwrap_or_default();
    let said = "does not list the model qwen53; correct its name, or add it there; it lists qwen35, ";
    assert!(problem.starts_with(said), "{models}");
    assert_eq!((&models[1]["problem"], &models[1]["reachable"]), (&json!(""), &json!(true)));
}
