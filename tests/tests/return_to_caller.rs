//! A policy whose Claude is the caller: the work comes back, and no model is asked for it.

use serde_json::{Value, json};
use tests::{
    Policy, get_json,
    mcp::CallResult,
    policy::{merged, written},
    program::{self, Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

/// Outcomes of a local model that is below ceil, and of the caller: passes and fails.
const BAD: (u64, u64) = (28, 13);
const CALLER: (u64, u64) = (20, 2);
/// The first words of the system prompt of `debug`.
const INSTRUCTIONS: &str = include_str!("../../crds/skills/prompts/debug.md");

/// A data plane with its stand-ins.
struct It {
    models: Models,
    brain: Brain,
    routing: Running,
}

impl It {
    /// With this local model, and these fields of the skill `debug`.
    async fn start(local: &str, debug: Value, spec: Value) -> Self {
        let (models, brain) = (Models::start().await, Brain::that_takes_verdicts(Brain::of_models(BAD, CALLER)).await);
        let policy = policy(&models.url(), &brain.url(), merged(json!({"name": "debug"}), debug));
        let routing = Program::serve_policy(&policy.local(local).spec(spec)).start().await;
        Self { models, brain, routing }
    }

    async fn debug(&self) -> CallResult {
        let arguments = json!({"project_root": "/tmp", "problem": "It panics.", "error_output": "x".repeat(8123),
            "files": ["src/a.rs"]});
        self.routing.mcp().result("debug", arguments).await
    }

    /// The arguments of the entries about decisions once there are so many.
    async fn decided(&self, count: usize) -> Vec<Value> {
        waiting::until("the entries", || async {
            let arguments = self.brain.entries().into_iter().map(|entry| entry["params"]["arguments"].clone());
            let decided: Vec<Value> = arguments.filter(|entry| entry["phase"] == "decide").collect();
            Some(decided).filter(|decided| decided.len() >= count)
        })
        .await
    }
}

fn policy(models: &str, brain: &str, debug: Value) -> Policy {
    let claude = json!({"name": null, "returnToCaller": {}});
    Policy::at(models).spec(json!({"models": {"claude": claude}, "brain": {"url": brain}, "skills": [debug]}))
}

/// What every answer that is the work has.
fn assert_is_work(result: &CallResult, why: &str) {
    let text = result.text(0);
    assert!(!result.is_error() && text.starts_with(&format!("debug: {why}: do this yourself.\n")), "{text}");
    assert!(text.contains(INSTRUCTIONS.trim_end()), "the instructions in full: {text}");
    assert_eq!(result.decisions("answeredBy").last(), Some(&json!("caller")));
    assert_eq!(result.decisions("model").last(), Some(&json!("caller")));
}

#[tokio::test]
async fn below_ceil_the_caller_gets_the_work_and_no_model_is_asked() {
    let it = It::start("l", json!({}), json!({})).await;
    let result = it.debug().await;
    assert_is_work(&result, "the local model is right too seldom here (0.68 of 41)");
    let text = result.text(0);
    assert!(text.contains("- error_output: your argument, 8,123 characters") && !text.contains("xxx"), "{text}");
    assert!(text.contains(r#"- problem: "It panics.""#) && text.contains(r#"- files: "src/a.rs""#), "{text}");
    assert!(result.text(1).starts_with("routing: debug: claude (caller, local 0.68 of 41); decision_id"), "{result:?}");
    assert_eq!(
        (result.decisions("decision"), result.decisions("reason")),
        (vec![json!("claude")], vec![json!("below_ceil")])
    );
    assert_eq!(it.models.asked(), Vec::<String>::new());
    assert_eq!(
        it.brain.pass_rates_asked(),
        ["skill=debug&window=7d&local=l&claude=caller&sources=human%2Cci%2Creview%2Cagent%2Ccheck&at_least=1"]
    );

    let entry = it.decided(1).await.remove(0);
    assert_eq!(
        (&entry["message"], &entry["final_status"]),
        (&json!("debug: claude — model=caller, pass_rate=0.68"), &json!("skip"))
    );
    let record = &entry["decision"];
    let expected = json!({"decision": "claude", "model": "caller", "answered_by": "caller", "gateway_fallback": null,
        "prompt_tokens": null, "completion_tokens": null, "finish_reason": null, "error": null, "samples": 41});
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&record[field], value, "{field}");
    }
    assert_eq!(record["id"], result.decisions("id")[0]);
    let decisions = r#"routing_decisions_total{skill="debug",decision="claude",reason="below_ceil"}"#;
    assert_eq!(it.routing.metric(decisions).await, 1.0);
    let metrics = it.routing.admin("/metrics").await;
    assert!(!metrics.contains("routing_model_call_seconds_count{"), "no model was called: {metrics}");
}

#[tokio::test]
async fn after_a_local_error_the_work_comes_back() {
    let it = It::start("status-500", json!({"thresholds": {"floor": "0", "ceil": "0"}}), json!({})).await;
    let result = it.debug().await;
    assert_is_work(&result, "the local model failed (status)");
    assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_fallback")]);
    assert_eq!(it.models.asked(), ["status-500"]);
    assert!(result.text(1).contains("then claude_fallback (caller, local 0.68 of 41); decision_id"), "{result:?}");
    let entries = it.decided(2).await;
    assert_eq!(entries[1]["message"], "debug: claude_fallback — model=caller, after-local-error");
    assert_eq!(entries[1]["decision"]["error"], json!(null));
}

#[tokio::test]
async fn a_local_model_that_hangs_has_all_its_time_and_then_the_work_comes_back() {
    let timeouts = json!({"timeouts": {"local": "2s", "total": "2s"}});
    let it = It::start("hangs", json!({"thresholds": {"floor": "0", "ceil": "0"}}), timeouts).await;
    assert_is_work(&it.debug().await, "the local model failed (timeout)");
    let local = &it.decided(2).await[0]["decision"];
    assert!(local["duration_ms"].as_u64().is_some_and(|took| took >= 1850), "nothing is kept for a fallback: {local}");
}

#[tokio::test]
async fn a_local_answer_that_fails_its_check_is_not_given_and_the_work_comes_back() {
    let check = json!({"thresholds": {"floor": "0", "ceil": "0"}, "check": {"pattern": "Rome", "counts": "Both"},
        "onFailedCheck": "Claude"});
    let it = It::start("says:Paris", check, json!({})).await;
    let result = it.debug().await;
    assert_is_work(&result, "the answer of the local model failed the check of this skill");
    assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_escalation")]);
    assert_eq!(result.decisions("check"), [json!("failed"), json!(null)]);
    assert!(!result.text(0).contains("Paris"), "{result:?}");
    let entries = it.decided(2).await;
    assert_eq!(entries[1]["message"], "debug: claude_escalation — model=caller, after-failed-check");
    let verdicts = it.brain.verdicts();
    assert_eq!(verdicts.len(), 1, "on the local answer alone: {verdicts:?}");
    assert_eq!(verdicts[0]["decision_id"], entries[0]["decision"]["id"]);
}

#[tokio::test]
async fn work_that_comes_back_is_neither_checked_nor_judged() {
    let debug = json!({"route": "Claude", "check": {"pattern": "never", "counts": "Both"},
        "grading": {"share": "1", "maxPerHour": 9, "rubric": "r", "by": "Grader"}});
    let it = It::start("l", debug, json!({"models": {"grader": {"name": "says:pass"}}})).await;
    let result = it.debug().await;
    assert_is_work(&result, "the policy leaves this skill to you");
    assert!(result.text(1).starts_with("routing: debug: claude (caller, pinned); decision_id"), "{result:?}");
    assert_eq!(result.decisions("check"), [json!(null)]);
    // SIGINT delivers what is queued.
    let It { models, brain, mut routing } = it;
    routing.signal("INT");
    assert!(routing.ended().await.success());
    assert_eq!((brain.entries().len(), brain.verdicts(), models.asked()), (1, vec![], vec![]));
}

#[tokio::test]
async fn without_the_decision_line_the_work_asks_for_no_report() {
    let it = It::start("l", json!({"route": "Claude"}), json!({"decisionLine": "Hide"})).await;
    let result = it.debug().await;
    assert_is_work(&result, "the policy leaves this skill to you");
    assert_eq!((result.text(1), result.text(0).contains("report it")), ("", false));
}

#[tokio::test]
async fn shadow_calls_and_shares_for_claude_work_as_with_a_model() {
    let shadow = json!({"evidence": {"exploration": {"mode": "Shadow", "share": "1"}}});
    let it = It::start("l", json!({}), shadow).await;
    assert_is_work(&it.debug().await, "the local model is right too seldom here (0.68 of 41)");
    waiting::until_true("the shadow call", || async { it.models.asked() == ["l"] }).await;

    let share = json!({"evidence": {"exploration": {"mode": "Live", "share": "0", "claudeShare": "1"}}});
    let it = It::start("l", json!({"thresholds": {"floor": "0", "ceil": "0"}}), share).await;
    let why = "the policy leaves a share of the calls to you, so that it is known how often you are right";
    assert_is_work(&it.debug().await, why);
    assert_eq!(it.models.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn the_status_shows_the_caller_and_nothing_is_missing_for_it() {
    let secret = json!({"name": "s", "key": "ROUTING_TEST_KEY"});
    let upstreams = |url: &str| {
        json!({"upstream": {"url": "http://127.0.0.1:9", "apiKeySecretRef": secret.clone()},
            "models": {"local": {"upstream": {"url": url}}}})
    };
    let (models, brain) = (Models::start().await, Brain::that_takes_decisions(Brain::of_models(BAD, CALLER)).await);
    let policy = policy(&models.url(), &brain.url(), json!({"name": "debug"})).spec(upstreams(&models.url()));
    let routing = Program::serve_policy(&policy).start().await;
    let (status, printed) = waiting::until("the probe", || async {
        let status = routing.status().await;
        let url = format!("http://127.0.0.1:{}", routing.ports.admin);
        let output = program::run(&["status", "--url", &url], &[], routing.folder());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        (status["models"][0]["reachable"] == json!(true)).then_some((status, printed))
    })
    .await;
    let claude = &status["models"][1];
    assert_eq!(
        (&claude["name"], &claude["model"], &claude["reachable"]),
        (&json!("claude"), &json!("caller"), &json!(null))
    );
    assert_eq!((&status["missingSecrets"], &status["skills"][0]["route"]), (&json!([]), &json!("claude")), "{status}");
    let line = printed.lines().find(|line| line.starts_with("  claude ")).expect("a line");
    assert!(line.contains("caller") && line.ends_with("does the work itself"), "{printed}");
    let metrics = routing.admin("/metrics").await;
    assert!(!metrics.contains(r#"routing_upstream_reachable{model="claude"}"#), "{metrics}");
    let warnings: Vec<String> = routing.log().lines().filter(|line| line.contains("WARN")).map(Into::into).collect();
    assert!(!warnings.iter().any(|line| line.contains("claude") || line.contains("ROUTING_TEST_KEY")), "{warnings:?}");
}

#[tokio::test]
async fn a_reload_changes_between_a_model_and_the_caller() {
    let it = It::start("l", json!({}), json!({})).await;
    assert_is_work(&it.debug().await, "the local model is right too seldom here (0.68 of 41)");
    let file = it.routing.folder().join("policy.yaml");
    let brain = json!({"brain": {"url": it.brain.url()}});
    std::fs::write(&file, Policy::at(&it.models.url()).spec(brain).to_string()).expect("written");
    waiting::until_true("the model", || async { it.debug().await.text(0) == "answer of c" }).await;
    let back = policy(&it.models.url(), &it.brain.url(), json!({"name": "debug"})).to_string();
    std::fs::write(&file, back).expect("written");
    waiting::until_true("the caller", || async { it.debug().await.text(0).contains("do this yourself") }).await;
}

#[tokio::test]
async fn an_outcome_of_returned_work_counts_for_claude_under_the_callers_name() {
    let (models, brain) = (Models::start().await, Program::brain().start().await);
    let policy = policy(&models.url(), &brain.base_url(), json!({"name": "debug", "route": "Claude"}));
    let routing = Program::serve_policy(&policy).start().await;
    let result = routing.mcp().debug("x").await;
    let id = result.decisions("id")[0].as_str().expect("an id").to_string();
    let known = format!("{}/decisions?id={id}", brain.base_url());
    waiting::until("the decision", || async { get_json(&known).await["decisions"].get(0).cloned() }).await;
    let outcome = json!({"skill": "debug", "phase": "outcome", "final_status": "pass", "decision_id": id});
    let taken = brain.mcp().result("session_log", outcome).await;
    assert!(!taken.is_error(), "{taken:?}");
    let rates = get_json(&format!("{}/pass-rate?skill=debug&local=l&claude=caller", brain.base_url())).await;
    assert_eq!((&rates["claude"]["pass"], &rates["pass"]), (&json!(1), &json!(0)), "{rates}");
    let other = get_json(&format!("{}/pass-rate?skill=debug&local=caller&claude=c", brain.base_url())).await;
    assert_eq!((&other["claude"]["pass"], &other["pass"]), (&json!(0), &json!(0)), "{other}");
}

#[test]
fn check_accepts_it_and_names_the_line_of_what_it_refuses() {
    let text = |claude: &str, more: &str| {
        written("http://litellm:4000", "l", more).replace("claude: {name: c}", &format!("claude: {claude}"))
    };
    let one = "skills: [{name: debug}]";
    let (valid, printed) = program::check(&text("{returnToCaller: {}}", one), &[]);
    assert!(valid && printed.contains("valid; skills debug"), "{printed}");
    for (claude, more, expected) in [
        (
            "{returnToCaller: {}}",
            "",
            "6:39: spec.models.claude.returnToCaller: cannot serve the skill trainer: it has 2 stages",
        ),
        (
            "{returnToCaller: {}, name: c}",
            one,
            "6:30: spec.models.claude: must have exactly one of name and returnToCaller",
        ),
        ("{returnToCaller: }", one, "6:30: spec.models.claude: must have exactly one of name and returnToCaller"),
        ("{returnToCaller: {model: c}}", one, "6:56: spec.models.claude.returnToCaller.model: unknown field"),
        ("{returnToCaller: yes}", one, "6:39: spec.models.claude.returnToCaller: yes: must be {}: it has no fields"),
        ("{returnToCaller: {}, timeout: 9s}", one, "6:39: spec.models.claude.returnToCaller: must not have parameters"),
    ] {
        let (valid, printed) = program::check(&text(claude, more), &[]);
        assert!(!valid && printed.contains(expected) && printed.lines().count() == 1, "{claude}: {printed}");
    }
}
