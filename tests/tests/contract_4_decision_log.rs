//! `contract` part 4: what is logged to the brain, in which order, and that no call waits for it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

async fn routing(models: &Models, brain: &Brain, local: &str, claude: &str) -> Running {
    Program::serve()
        .variable("LITELLM_BASE_URL", &models.url())
        .variable("BRAIN_URL", &brain.url())
        .variable("HYPERGUILD_LOCAL_MODEL", local)
        .variable("HYPERGUILD_CLAUDE_MODEL", claude)
        .start()
        .await
}

async fn entries(brain: &Brain, count: usize) -> Vec<Value> {
    waiting::until("the entries", || async { Some(brain.entries()).filter(|entries| entries.len() >= count) }).await
}

#[tokio::test]
async fn contract_4_one_json_rpc_tools_call_after_a_model_call() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.94")).await);
    let routing = routing(&models, &brain, "l", "c").await;
    routing.mcp().result("debug", json!({"project_root": "/home/me", "problem": "x", "session_id": "mine"})).await;
    routing.mcp().result("retrospective", json!({"project_root": "/tmp"})).await;
    let [entry, second] = entries(&brain, 2).await.try_into().expect("one entry a call");
    assert!(
        second["params"]["arguments"]["message"].as_str().is_some_and(|m| m.starts_with("retrospective: local — "))
    );
    assert_eq!(
        (&entry["jsonrpc"], &entry["method"], &entry["params"]["name"]),
        (&json!("2.0"), &json!("tools/call"), &json!("session_log"))
    );
    let mut arguments = entry["params"]["arguments"].clone();
    assert!(arguments["duration_ms"].is_u64(), "{arguments}");
    arguments["duration_ms"] = json!(0);
    assert_eq!(
        arguments,
        json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
            "message": "debug: local — model=l, pass_rate=0.94", "duration_ms": 0, "project_root": ""}),
        "exactly the contract's arguments for a brain that declares no more, and never the caller's session or project"
    );
}

#[tokio::test]
async fn contract_4_a_fallback_writes_two_entries_in_order() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    let routing = routing(&models, &brain, "status-500", "c").await;
    for _ in 0..10 {
        routing.mcp().debug("x").await;
    }
    let entries = entries(&brain, 20).await;
    let statuses: Vec<&Value> = entries.iter().map(|entry| &entry["params"]["arguments"]["final_status"]).collect();
    // The entries of one call keep their order; those of different calls may mix.
    assert_eq!(statuses.iter().filter(|status| **status == "fail").count(), 10);
    let messages = brain.messages();
    let (mut local, mut fallback) = (0, 0);
    for message in &messages {
        match message.as_str() {
            "debug: local — model=status-500, pass_rate=null" => local += 1,
            "debug: claude_fallback — model=c, after-local-error" => fallback += 1,
            other => panic!("{other}"),
        }
        assert!(fallback <= local, "a fallback never precedes its local attempt: {messages:?}");
    }
}

#[tokio::test]
async fn contract_4_both_stages_of_trainer_are_logged() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.5")).await);
    let routing = routing(&models, &brain, "l", "c").await;
    routing.mcp().result("trainer", json!({"project_root": "/tmp"})).await;
    entries(&brain, 2).await;
    assert_eq!(brain.messages(), ["trainer: claude — model=c, pass_rate=0.50"; 2]);
}

#[tokio::test]
async fn contract_4_a_slow_brain_delays_no_call_and_is_given_up_after_two_seconds() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    brain.take_entries_after(Duration::from_secs(4));
    let routing = routing(&models, &brain, "l", "c").await;
    for i in 0..5 {
        assert!(!routing.mcp().debug(&format!("call {i}")).await.is_error());
    }
    let answered = routing.metric(r#"routing_calls_total{skill="debug",result="answered"}"#).await;
    assert_eq!((answered, brain.entries().len()), (5.0, 0), "all calls are answered before the brain took an entry");
    waiting::until_true("undelivered entries to be counted", || async {
        let dropped = routing.metric(r#"routing_decision_log_dropped_total{kind="unreachable"}"#).await;
        dropped >= 5.0
    })
    .await;
    brain.take_entries_after(Duration::from_secs(1));
    routing.mcp().debug("after a second").await;
    entries(&brain, 1).await;
}

#[tokio::test]
async fn contract_4_what_could_not_be_delivered_is_counted_and_fails_no_call() {
    let models = Models::start().await;
    let routing = Program::serve().variable("LITELLM_BASE_URL", &models.url()).start().await;
    assert!(!routing.mcp().debug("x").await.is_error(), "nothing listens at BRAIN_URL");
    waiting::until_true("the entry to be counted", || async {
        routing.metric(r#"routing_decision_log_dropped_total{kind="unreachable"}"#).await == 1.0
    })
    .await;
}

#[tokio::test]
async fn a_brain_that_declares_it_gets_the_decision_record_too() {
    let (models, brain) = (Models::start().await, Brain::that_takes_decisions(Brain::rate("0.94")).await);
    let routing = routing(&models, &brain, "l", "c").await;
    let result =
        routing.mcp().result("debug", json!({"project_root": "/tmp", "problem": "x", "session_id": "mine"})).await;
    let [entry] = entries(&brain, 1).await.try_into().expect("one entry");
    let arguments = &entry["params"]["arguments"];
    let record = &arguments["decision"];
    assert_eq!((&arguments["decision_id"], &record["id"]), (&result.decisions("id")[0], &result.decisions("id")[0]));
    assert_eq!((&record["session"], &arguments["session_id"]), (&json!("mine"), &json!("_routing")));
    assert_eq!(
        (&record["samples"], &record["pass_rate"], &record["decision"]),
        (&json!(53), &json!(0.94), &json!("local"))
    );
    assert_eq!(
        (&record["prompt_tokens"], &record["completion_tokens"], &record["mode"]),
        (&json!(11), &json!(7), &json!(null))
    );
}

#[tokio::test]
async fn an_interrupt_delivers_the_queued_entries_before_the_exit() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("null")).await);
    brain.take_entries_after(Duration::from_millis(300));
    let mut routing = routing(&models, &brain, "l", "c").await;
    for _ in 0..8 {
        routing.mcp().debug("x").await;
    }
    routing.signal("INT");
    assert!(routing.ended().await.success(), "exit 0");
    assert_eq!(brain.entries().len(), 8);
}
