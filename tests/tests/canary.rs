//! Secrets and prompts stay where they belong: in no log, metric, status or error.

use serde_json::json;
use tests::{
    policy,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

const TOKEN: &str = "CANARY-token-1f6d";
const KEY: &str = "CANARY-key-88b2";
const BRAIN_TOKEN: &str = "CANARY-brain-90aa";
const PROMPT: &str = "CANARY-prompt-d3c7";
/// What the models' error messages repeat.
const ECHO: &str = "CANARY-ECHO";

fn with_secrets(models: &Models, brain: &Running, local: &str, claude: &str) -> String {
    let more = format!(
        "brain: {{url: {}, tokenSecretRef: {{name: s, key: BRAIN}}}}\n  access: {{tokens: [{{name: me, secretRef: {{name: s, key: TOKEN}}}}]}}",
        brain.base_url()
    );
    policy(&models.url(), local, claude, &more).replace(
        &format!("{{url: {}}}", models.url()),
        &format!("{{url: {}, apiKeySecretRef: {{name: s, key: KEY}}}}", models.url()),
    )
}

#[tokio::test]
async fn a_canary_secret_and_a_canary_prompt_appear_nowhere() {
    let brain = Program::brain().variable("BRAIN_TOKEN", BRAIN_TOKEN).variable("RUST_LOG", "trace").start().await;
    for format in ["json", "text"] {
        let models = Models::start().await;
        let program = Program::serve_policy(&with_secrets(&models, &brain, "l", "c"))
            .variable("TOKEN", TOKEN)
            .variable("KEY", KEY)
            .variable("BRAIN", BRAIN_TOKEN)
            .variable("ROUTING_LOG_FORMAT", format)
            // Everything that this project's own code could ever log, and the libraries at what they log by default.
            .variable("RUST_LOG", "info,dataplane=trace,brain=trace,crds=trace,routing=trace");
        let routing = program.start().await;
        let mcp = routing.mcp().token(TOKEN);
        let shown = std::cell::RefCell::new(String::new());
        for (local, claude) in
            [("l", "c"), ("status-500", "status-500"), ("error-in-200", "html"), ("truncated", "empty-answer")]
        {
            std::fs::write(routing.folder().join("policy.yaml"), with_secrets(&models, &brain, local, claude))
                .expect("written");
            waiting::until("the config", || async {
                let result = mcp.debug(&format!("{PROMPT} {local}")).await;
                shown.borrow_mut().push_str(result.text(0));
                models.asked().contains(&local.to_string()).then_some(())
            })
            .await;
        }
        for arguments in [
            json!({"project_root": "/tmp", "problem": 1, PROMPT: 1}),
            json!({"project_root": "/tmp", "problem": format!("{PROMPT}\0")}),
        ] {
            // The caller's own argument names may be repeated to the caller, and only there.
            mcp.result("debug", arguments).await;
        }
        mcp.send("tools/call", json!({"name": "debug", "arguments": PROMPT})).await;
        routing.mcp().token("CANARY-wrong").send("tools/list", json!({})).await;
        mcp.result("code_review", json!({"project_root": format!("/{PROMPT}"), "files": [format!("{PROMPT}.rs")], "contents": {PROMPT: PROMPT}})).await;
        waiting::until("the decisions to reach the brain", || async {
            (routing.log().matches("decided").count() >= 4).then_some(())
        })
        .await;
        std::fs::write(routing.folder().join("policy.yaml"), "spec: [").expect("written");
        waiting::until("the refusal", || async { (!routing.status().await["refused"].is_null()).then_some(()) }).await;

        assert!(
            models.received().iter().any(|request| request.message(1).contains(PROMPT)),
            "the model got the prompt"
        );
        assert!(models.received().iter().any(|request| request.headers["authorization"] == format!("Bearer {KEY}")));
        for (place, text) in [
            ("log", routing.log()),
            ("metrics", routing.admin("/metrics").await),
            ("status", routing.admin("/status").await),
            ("errors", shown.take()),
            ("the brain's log", brain.log()),
        ] {
            assert!(!text.is_empty(), "{place}");
            for canary in [TOKEN, KEY, BRAIN_TOKEN, PROMPT, ECHO, "CANARY"] {
                let line = text.lines().find(|line| line.contains(canary));
                assert!(line.is_none(), "{canary} in {place}: {line:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_brain_keeps_no_prompt() {
    let models = Models::start().await;
    let brain = Program::brain().start().await;
    let more = format!("brain: {{url: {}}}", brain.base_url());
    let routing = Program::serve_policy(&policy(&models.url(), "status-500", "c", &more)).start().await;
    routing.mcp().debug(PROMPT).await;
    let url = format!("{}/sessions/_routing", brain.base_url());
    let text = waiting::until("both entries", || async {
        let text = tests::http().get(&url).send().await.ok()?.text().await.ok()?;
        (text.matches("after-local-error").count() == 1).then_some(text)
    })
    .await;
    assert!(!text.contains("CANARY"), "{text}");
}
