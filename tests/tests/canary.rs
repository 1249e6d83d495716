//! Secrets and prompts stay where they belong: in no log, metric, status or error.

use serde_json::json;
use tests::{
    Policy,
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

fn with_secrets(models: &Models, brain: &Running, local: &str, claude: &str) -> Policy {
    let judged = json!({"share": "1", "maxPerHour": 1000, "rubric": "r", "by": "Grader"});
    let debug = json!({"name": "debug", "grading": judged, "onFailedCheck": "Claude",
        "check": {"pattern": "answer", "counts": "Both"}});
    Policy::at(&models.url()).local(local).claude(claude).spec(json!({
        "models": {"grader": {"name": "status-500"}},
        "skills": [debug, {"name": "code_review"}],
        "upstream": {"apiKeySecretRef": {"name": "s", "key": "KEY"}},
        "brain": {"url": brain.base_url(), "tokenSecretRef": {"name": "s", "key": "BRAIN"}},
        "access": {"tokens": [{"name": "me", "secretRef": {"name": "s", "key": "TOKEN"}}]},
    }))
}

#[tokio::test]
async fn a_canary_secret_and_a_canary_prompt_appear_nowhere() {
    let brain = Program::brain().variable("BRAIN_TOKEN", BRAIN_TOKEN).variable("RUST_LOG", "trace").start().await;
    for format in ["json", "text"] {
        let models = Models::start().await;
        let program = Program::serve_policy(&with_secrets(&models, &brain, "l", "c"))
            .variable("ROUTING_SECRET_VARIABLES", "TOKEN,KEY,BRAIN")
            .variable("TOKEN", TOKEN)
            .variable("KEY", KEY)
            .variable("BRAIN", BRAIN_TOKEN)
            .variable("ROUTING_LOG_FORMAT", format)
            // Everything that this project and its libraries could ever log.
            .variable("RUST_LOG", "trace");
        let routing = program.start().await;
        let mcp = routing.mcp().token(TOKEN);
        let shown = std::cell::RefCell::new(String::new());
        for (local, claude) in
            [("l", "c"), ("status-500", "status-500"), ("error-in-200", "html"), ("truncated", "empty-answer")]
        {
            let changed = with_secrets(&models, &brain, local, claude).to_string();
            std::fs::write(routing.folder().join("policy.yaml"), changed).expect("written");
            waiting::until_true("the config", || async {
                let result = mcp.debug(&format!("{PROMPT} {local}")).await;
                shown.borrow_mut().push_str(&result.0.to_string());
                models.asked().contains(&local.to_string())
            })
            .await;
        }
        // The caller's own argument names are repeated to the caller, and to nobody else.
        mcp.result("debug", json!({"project_root": "/tmp", "problem": 1, PROMPT: 1})).await;
        let with_nul = mcp.result("debug", json!({"project_root": "/tmp", "problem": format!("{PROMPT}\0")})).await;
        let no_object = mcp.send("tools/call", json!({"name": "debug", "arguments": PROMPT})).await;
        let wrong_token = routing.mcp().token("CANARY-wrong").send("tools/list", json!({})).await;
        let material = json!({
            "project_root": format!("/{PROMPT}"),
            "files": [format!("{PROMPT}.rs")],
            "contents": {PROMPT: PROMPT},
        });
        let reviewed = mcp.result("code_review", material).await;
        for text in [
            with_nul.0.to_string(),
            no_object.text().await.expect("text"),
            wrong_token.text().await.expect("text"),
            reviewed.0.to_string(),
        ] {
            shown.borrow_mut().push_str(&text);
        }
        waiting::until("the decisions to reach the brain", || async {
            let entries = tests::http().get(format!("{}/sessions/_routing", brain.base_url())).bearer_auth(BRAIN_TOKEN);
            let entries: serde_json::Value = entries.send().await.ok()?.json().await.ok()?;
            entries["entries"].as_array().filter(|entries| entries.len() >= 6).cloned()
        })
        .await;
        std::fs::write(routing.folder().join("policy.yaml"), "spec: [").expect("written");
        waiting::until_true("the refusal", || async { !routing.status().await["refused"].is_null() }).await;

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
    let policy = Policy::at(&models.url()).local("status-500").spec(json!({"brain": {"url": brain.base_url()}}));
    let routing = Program::serve_policy(&policy).start().await;
    routing.mcp().debug(PROMPT).await;
    let url = format!("{}/sessions/_routing", brain.base_url());
    let text = waiting::until("both entries", || async {
        let text = tests::http().get(&url).send().await.ok()?.text().await.ok()?;
        (text.matches("after-local-error").count() == 1).then_some(text)
    })
    .await;
    assert!(!text.contains("CANARY"), "{text}");
}

/// Everything that runs in the background sees prompts and answers: shadow calls, checks, the model that judges.
#[tokio::test]
async fn nothing_of_a_prompt_or_an_answer_is_on_the_brains_disk() {
    let models = Models::start().await;
    let brain = Program::brain().variable("RUST_LOG", "trace").start().await;
    let judged = json!({"share": "1", "maxPerHour": 100, "rubric": "r", "by": "Grader"});
    let debug = json!({"name": "debug", "grading": judged, "check": {"pattern": "ANSWER", "counts": "Both"}});
    let (local, claude) = ("says:CANARY-LOCAL-ANSWER", "says:CANARY-ANSWER");
    let policy = Policy::at(&models.url()).local(local).claude(claude).spec(json!({
        "brain": {"url": brain.base_url()}, "models": {"grader": {"name": "says:pass"}}, "skills": [debug],
        "evidence": {"ttl": "50ms", "sources": ["human"], "exploration": {"mode": "Shadow", "share": "1"}},
    }));
    // A person found the local model wrong, so calls go to Claude, and the local model is asked in the background.
    let wrong = json!({"skill": "debug", "final_status": "fail", "source": "human"});
    assert!(!brain.mcp().result("session_log", wrong).await.is_error());
    let routing = Program::serve_policy(&policy).variable("RUST_LOG", "trace").start().await;
    waiting::until_true("a judged answer beside a shadow call", || async {
        routing.mcp().debug(PROMPT).await;
        let metrics = routing.admin("/metrics").await;
        [
            r#"routing_shadow_calls_total{skill="debug",result="answered"}"#,
            r#"routing_gradings_total{skill="debug",result="pass"}"#,
        ]
        .iter()
        .all(|metric| metrics.contains(metric))
    })
    .await;
    let outcomes = format!("{}/outcomes?skill=debug", brain.base_url());
    waiting::until_true("the verdicts on the answers of both", || async {
        routing.mcp().debug(PROMPT).await;
        let outcomes = tests::get_json(&outcomes).await;
        let said = |model: &str, source: &str| {
            let mut outcomes = outcomes["outcomes"].as_array().into_iter().flatten();
            outcomes.any(|outcome| outcome["model"] == model && outcome["source"] == source)
        };
        [local, claude].iter().all(|model| said(model, "check") && said(model, "grader"))
    })
    .await;
    // The models' names are in records and logs: `says:CANARY-…` is one. Nothing else is.
    let only_names = |place: &str, text: &[u8]| {
        let count = |canary: &[u8]| text.windows(canary.len()).filter(|part| part == &canary).count();
        assert_eq!((count(PROMPT.as_bytes()), count(b"CANARY")), (0, count(b"says:CANARY")), "{place}");
    };
    let mut read = 0;
    for file in std::fs::read_dir(brain.folder().join("data/routing")).expect("the data folder").flatten() {
        let bytes = std::fs::read(file.path()).expect("readable");
        read += bytes.len();
        only_names(&format!("{:?}", file.path()), &bytes);
    }
    assert!(read > 10_000, "{read}");
    let seen = [("log", routing.log()), ("metrics", routing.admin("/metrics").await), ("brain's log", brain.log())];
    seen.iter().for_each(|(place, text)| only_names(place, text.as_bytes()));
}
