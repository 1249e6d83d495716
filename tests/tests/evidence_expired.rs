//! What becomes of a skill whose evidence is older than the window: a real brain, whose clock is moved by making its rows
//! older, and a real data plane.

use std::process::Command;

use serde_json::{Value, json};
use tests::{
    Policy, get_json,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// Every time in the database is this much earlier: a day more than the window.
const OLDER: &str = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for table, column in [('outcomes', 'at_ms'), ('decisions', 'at_ms'), ('entries', 'at_ms'), ('counts', 'start_ms')]:
    database.execute(f'UPDATE {table} SET {column} = {column} - 8 * 86400000')
database.commit()
";

fn make_older(brain: &Running) {
    let database = brain.folder().join("data/routing/brain.db");
    let done = Command::new("python3").args(["-c", OLDER]).arg(&database).output().expect("python3 runs");
    assert!(done.status.success(), "{done:?}");
}

async fn serve(models: &Models, brain: &Running, evidence: Value) -> Running {
    let evidence = tests::policy::merged(json!({"ttl": "50ms"}), evidence);
    let measured = json!({"brain": {"url": brain.base_url()}, "evidence": evidence});
    Program::serve_policy(&Policy::at(&models.url()).local("local").claude("claude").spec(measured)).start().await
}

/// A brain that found the local model wrong ten times, eight days ago.
async fn measured_long_ago() -> (Models, Running) {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let routing = serve(&models, &brain, json!({"minSamples": 20})).await;
    for n in 0..10 {
        let result = routing.mcp().debug(&format!("problem {n}")).await;
        let entry = json!({"skill": "debug", "final_status": "fail", "decision_id": result.decisions("id")[0]});
        assert!(!brain.mcp().result("session_log", entry).await.is_error());
    }
    let known = || async { get_json(format!("{}/evidence", brain.base_url())).await["skills"][0]["decisions"] == 10 };
    waiting::until_true("the decisions", known).await;
    make_older(&brain);
    (models, brain)
}

/// Where twenty calls go.
async fn twenty(routing: &Running) -> Vec<Value> {
    let mut went = vec![];
    for n in 0..20 {
        went.extend(routing.mcp().debug(&format!("later problem {n}")).await.decisions("decision"));
    }
    went
}

#[tokio::test]
async fn held_evidence_keeps_every_call_with_claude_after_the_window() {
    let (models, brain) = measured_long_ago().await;
    let routing = serve(&models, &brain, json!({"minSamples": 5, "onExpired": "Hold"})).await;
    assert_eq!(twenty(&routing).await, vec![json!("claude"); 20]);
    let result = routing.mcp().debug("and one more").await;
    assert_eq!((result.decisions("held"), result.decisions("samples")), (vec![json!(true)], vec![json!(5)]));
    assert!(result.decisions("heldAgeMs")[0].as_u64().is_some_and(|age| age >= 8 * 86_400_000), "{result:?}");
}

#[tokio::test]
async fn forgotten_evidence_sends_every_call_back() {
    let (models, brain) = measured_long_ago().await;
    let routing = serve(&models, &brain, json!({"minSamples": 5, "onExpired": "Forget"})).await;
    assert_eq!(twenty(&routing).await, vec![json!("local"); 20]);
    let result = routing.mcp().debug("and one more").await;
    // Of whom: the brain answered, and has nothing that counts.
    assert_eq!(
        (result.decisions("reason"), result.decisions("evidenceOf")),
        (vec![json!("no_pass_rate")], vec![json!("local")])
    );
}

#[tokio::test]
async fn a_policy_may_ask_for_as_many_held_outcomes_as_it_may_ask_for_outcomes() {
    let (models, brain) = measured_long_ago().await;
    let routing = serve(&models, &brain, json!({"minSamples": 1_000_000, "onExpired": "Hold"})).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(result.decisions("reason"), [json!("too_few_samples")], "asked and answered: {result:?}");
}

#[tokio::test]
async fn a_skill_of_whose_decisions_the_window_holds_none_is_known_all_the_same() {
    let (_models, brain) = measured_long_ago().await;
    let told = brain.mcp().result("session_log", json!({"skill": "debug", "final_status": "pass"})).await;
    assert!(told.text(0).contains("Pass rate of") && !told.text(0).contains("No decision"), "{}", told.text(0));
}
