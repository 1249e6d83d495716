//! Verdicts that come in by themselves: checks of answers, calls that are made again, answers that a model judges.

use serde_json::{Value, json};
use tests::{
    Policy,
    mcp::CallResult,
    program::{Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

const GOOD: &str = r#"says:{"city": "Rome"}"#;
const BAD: &str = "says:It is Rome.";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CANARY: &str = "CANARY-PROMPT";

/// A data plane with its stand-ins; the skill `debug` has these fields.
struct It {
    models: Models,
    brain: Brain,
    routing: Running,
}

impl It {
    async fn start(local: &str, claude: &str, debug: Value) -> Self {
        Self::with(local, claude, debug, json!({}), Brain::that_takes_verdicts(Brain::rate("null")).await).await
    }

    async fn with(local: &str, claude: &str, debug: Value, spec: Value, brain: Brain) -> Self {
        let models = Models::start().await;
        let skill = tests::policy::merged(json!({"name": "debug"}), debug);
        let policy = Policy::at(&models.url()).local(local).claude(claude);
        let policy = policy.spec(json!({"brain": {"url": brain.url()}, "skills": [skill]})).spec(spec);
        let routing = Program::serve_policy(&policy).start().await;
        Self { models, brain, routing }
    }

    async fn debug(&self, problem: &str) -> CallResult {
        self.routing.mcp().debug(problem).await
    }

    /// Waits until the brain has this many verdicts; returns them.
    async fn verdicts(&self, count: usize) -> Vec<Value> {
        waiting::until("the verdicts", || async {
            Some(self.brain.verdicts()).filter(|verdicts| verdicts.len() >= count)
        })
        .await
    }

    /// Waits until the brain has this many decisions; returns their records in the order in which they were made.
    async fn records(&self, count: usize) -> Vec<Value> {
        let records = || {
            let all = self.brain.entries().into_iter().map(|entry| entry["params"]["arguments"]["decision"].clone());
            all.filter(Value::is_object).collect::<Vec<_>>()
        };
        waiting::until_true("the decisions", || async { records().len() >= count }).await;
        let mut records = records();
        records.sort_by_key(|record| record["id"].to_string());
        records
    }

    /// Waits until the brain has this many entries; returns those that are verdicts. A call's verdict comes right after
    /// its decision, so one that is not among them was not sent.
    async fn verdicts_among(&self, entries: usize) -> Vec<Value> {
        waiting::until_true("the entries", || async { self.brain.entries().len() >= entries }).await;
        self.brain.verdicts()
    }

    async fn metric_becomes(&self, name: &str, value: f64) {
        waiting::until_true(name, || async { self.routing.metric(name).await == value }).await;
    }
}

fn check(counts: &str, on_failed: &str) -> Value {
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    json!({"check": {"jsonSchema": schema, "counts": counts}, "onFailedCheck": on_failed})
}

fn verdict(id: &Value, status: &str, source: &str) -> Value {
    json!({"skill": "debug", "phase": "outcome", "final_status": status, "decision_id": id, "source": source})
}

#[tokio::test]
async fn claude_answers_instead_of_a_local_answer_that_fails_its_check_and_that_is_a_fail_at_once() {
    let it = It::start(BAD, GOOD, check("Fail", "Claude")).await;
    let result = it.debug("x").await;
    assert_eq!((result.is_error(), result.text(0)), (false, r#"{"city": "Rome"}"#));
    assert_eq!(result.decisions("decision"), [json!("local"), json!("claude_escalation")]);
    assert_eq!(result.decisions("reason"), [json!("no_pass_rate"), json!("failed_check")]);
    assert_eq!(result.decisions("check"), [json!("failed"), json!("passed")]);
    assert!(result.text(1).starts_with("routing: ") && result.text(1).contains("failed its check), then claude_esc"));
    assert_eq!(it.verdicts(1).await, [verdict(&result.decisions("id")[0], "fail", "check")]);
    waiting::until_true("three entries", || async { it.brain.entries().len() == 3 }).await;
    let messages: Vec<String> = it.brain.messages().into_iter().filter(|message| !message.is_empty()).collect();
    assert_eq!(
        messages,
        [
            format!("debug: local — model={BAD}, pass_rate=null"),
            format!("debug: claude_escalation — model={GOOD}, after-failed-check")
        ]
    );
    let record = it.brain.entries()[0]["params"]["arguments"]["decision"].clone();
    assert_eq!((&record["check"], &record["id"]), (&json!("failed"), &result.decisions("id")[0]));
    let metric = r#"routing_checks_total{skill="debug",decision="claude_escalation",result="passed"}"#;
    assert_eq!(it.routing.metric(metric).await, 1.0);
}

#[tokio::test]
async fn an_answer_that_fails_its_check_is_kept_and_marked_if_the_policy_says_so() {
    let it = It::start(BAD, GOOD, check("Fail", "Keep")).await;
    let result = it.debug("x").await;
    assert_eq!((result.text(0), it.models.asked().len()), ("It is Rome.", 1));
    assert!(result.text(1).starts_with("note: this answer fails the check"), "{result:?}");
    assert_eq!(result.decisions("check"), [json!("failed")]);
    assert_eq!(it.verdicts(1).await, [verdict(&result.decisions("id")[0], "fail", "check")]);
}

#[tokio::test]
async fn an_answer_that_was_cut_fails_its_check() {
    let it = It::start("cut", "says:all", json!({"check": {"pattern": "."}, "onFailedCheck": "Claude"})).await;
    let result = it.debug("x").await;
    assert_eq!((result.text(0), result.decisions("check")), ("all", vec![json!("failed"), json!("passed")]));
    assert!(result.text(1).starts_with("routing: "), "no note about the answer that is not given: {result:?}");
}

#[tokio::test]
async fn a_check_that_holds_is_a_pass_only_where_both_count() {
    let it = It::start(GOOD, "c", check("Both", "Keep")).await;
    let result = it.debug("x").await;
    assert_eq!(it.verdicts(1).await, [verdict(&result.decisions("id")[0], "pass", "check")]);
    let it = It::start(GOOD, "c", check("Fail", "Keep")).await;
    assert_eq!(it.debug("x").await.decisions("check"), [json!("passed")]);
    it.debug("y").await;
    assert_eq!(it.verdicts_among(2).await, Vec::<Value>::new());
}

#[tokio::test]
async fn claudes_answer_that_fails_too_is_kept_and_marked_and_without_one_the_local_answer_is() {
    let it = It::start(BAD, "says:Roma", check("Fail", "Claude")).await;
    let result = it.debug("x").await;
    assert_eq!((result.text(0), result.decisions("check")), ("Roma", vec![json!("failed"); 2]));
    assert!(result.text(1).starts_with("note: this answer fails the check"), "{result:?}");
    assert_eq!(it.verdicts_among(3).await.len(), 1, "no verdict on Claude, who only got what was too hard");

    for claude in ["status-500", "hangs"] {
        let brain = Brain::that_takes_verdicts(Brain::rate("null")).await;
        let times = json!({"timeouts": {"local": "3s", "total": "4s"}});
        let it = It::with(BAD, claude, check("Fail", "Claude"), times, brain).await;
        let result = it.debug("x").await;
        assert_eq!((result.is_error(), result.text(0)), (false, "It is Rome."), "{claude}");
        assert!(result.text(1).starts_with("note: this answer fails the check"), "{result:?}");
        let id = result.decisions("id")[0].as_str().unwrap_or_default().to_string();
        assert!(result.text(2).contains(&format!("decision_id {id}")), "the answer's own id: {result:?}");
    }
}

#[tokio::test]
async fn only_the_answer_of_the_last_stage_is_checked() {
    let stage = |user: &str| json!({"system": {"text": "s"}, "user": user});
    let debug = json!({"stages": [stage("one"), stage("two")], "check": {"pattern": "never"}});
    let it = It::start(BAD, GOOD, debug).await;
    assert_eq!(it.debug("x").await.decisions("check"), [json!(null), json!("failed")]);
}

#[tokio::test]
async fn a_brain_that_knows_no_sources_gets_no_verdict_and_no_call_notices() {
    let brain = Brain::that_takes_decisions(Brain::rate("null")).await;
    let it = It::with(BAD, GOOD, check("Both", "Claude"), json!({}), brain).await;
    assert_eq!(it.debug("x").await.text(0), r#"{"city": "Rome"}"#);
    it.metric_becomes(r#"routing_verdicts_dropped_total{kind="not_supported"}"#, 1.0).await;
    assert_eq!(it.brain.verdicts(), Vec::<Value>::new());
    assert_eq!(it.routing.metric(r#"routing_verdicts_total{skill="debug",source="check",verdict="fail"}"#).await, 1.0);
}

#[tokio::test]
async fn what_the_client_says_of_itself_is_in_the_record_and_its_trace_goes_on_to_the_gateway() {
    let it = It::start("l", "c", json!({})).await;
    let call = |meta: Value| {
        let params = json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "x"}, "_meta": meta});
        let mcp = it.routing.mcp();
        async move { assert!(mcp.send("tools/call", params).await.status().is_success()) }
    };
    let client = json!({"name": "claude-code", "version": "2.1.332"});
    call(json!({"claudecode/toolUseId": "toolu_1", "sessionID": "a\nb", "traceparent": TRACE,
        "io.modelcontextprotocol/clientInfo": client}))
    .await;
    call(json!({"traceparent": "00-0af7-1-01\r\nx-evil: 1"})).await;
    it.verdicts_among(2).await;
    let record = |i: usize| it.brain.entries()[i]["params"]["arguments"]["decision"].clone();
    let sent = |i: usize| it.models.received()[i].headers.get("traceparent").cloned();
    let said = ["client_call_id", "client_session", "client_name", "client_version", "traceparent"];
    let of = |record: &Value| said.map(|field| record[field].clone());
    let (first, second) = if record(0)["traceparent"].is_null() { (1, 0) } else { (0, 1) };
    assert_eq!(of(&record(first)), ["toolu_1", "a\\u{a}b", "claude-code", "2.1.332", TRACE].map(Value::from));
    assert!(said.iter().all(|field| record(second).get(*field).is_none()), "{}", record(second));
    assert_eq!((sent(0).as_ref().map(|value| value.as_bytes()), sent(1)), (Some(TRACE.as_bytes()), None));
}

#[tokio::test]
async fn the_same_call_again_at_once_is_a_fail_of_the_first_and_another_session_is_another_call() {
    let it = It::start("l", "c", json!({})).await;
    let ask = |problem: &'static str, session: &'static str| {
        let mcp = it.routing.mcp();
        async move {
            let arguments = json!({"project_root": "/tmp", "problem": problem, "session_id": session});
            mcp.result("debug", arguments).await.decisions("id")[0].clone()
        }
    };
    let first = ask(CANARY, "s").await;
    ask("another", "s").await;
    ask(CANARY, "t").await;
    let second = ask(CANARY, "s").await;
    assert_eq!(it.verdicts(1).await, [verdict(&first, "fail", "implicit")]);
    ask(CANARY, "s").await;
    assert_eq!(it.verdicts(2).await[1], verdict(&second, "fail", "implicit"));
    assert!(!it.routing.log().contains(CANARY));
}

#[tokio::test]
async fn contract_4_from_the_environment_alone_no_verdict_is_reported() {
    let (models, brain) = (Models::start().await, Brain::that_takes_verdicts(Brain::rate("null")).await);
    let routing =
        Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("BRAIN_URL", &brain.url()).start().await;
    for _ in 0..2 {
        routing.mcp().debug("the same").await;
    }
    waiting::until_true("the entries", || async { brain.entries().len() == 2 }).await;
    assert!(!routing.admin("/metrics").await.contains("routing_verdicts_total{"));
    assert_eq!(brain.verdicts(), Vec::<Value>::new());
}

fn graded(by: &str, most: u32) -> Value {
    json!({"grading": {"share": "1", "maxPerHour": most, "rubric": "Names a city.", "by": by}})
}

async fn judged_by(grader: &str, timeout: &str, most: u32) -> It {
    let brain = Brain::that_takes_verdicts(Brain::rate("null")).await;
    let models = json!({"models": {"grader": {"name": grader, "timeout": timeout}}});
    It::with("says:Rome", "c", graded("Grader", most), models, brain).await
}

#[tokio::test]
async fn the_status_shows_which_outcomes_count_and_what_judges_a_skill() {
    let check = json!({"check": {"pattern": "Rome", "counts": "Both"}, "onFailedCheck": "Claude",
        "thresholds": {"floor": "0.9", "ceil": "0.7", "relativeTo": "Claude"}});
    let exploration = json!({"mode": "Shadow", "share": "0.5", "claudeShare": "0.1"});
    let evidence = json!({"sources": ["human", "check"], "minSamples": 20, "window": "3d", "onExpired": "Forget",
        "exploration": exploration});
    let brain = Brain::that_takes_verdicts(Brain::rate("null")).await;
    let it = It::with("says:Rome", "c", check, json!({"evidence": evidence}), brain).await;
    let status = it.routing.status().await;
    let expected = json!({"of": "Model", "sources": ["human", "check"], "window": "3d", "minSamples": 20,
        "onExpired": "Forget", "exploration": "Shadow", "share": 0.5, "claudeShare": 0.1});
    assert_eq!(status["evidence"], expected);
    let skill = &status["skills"][0];
    assert_eq!((&skill["check"], &skill["grading"]), (&json!({"counts": "Both", "onFailed": "Claude"}), &json!(null)));
    assert_eq!((&skill["relativeTo"], &skill["exploring"]), (&json!("Claude"), &json!(true)));
    let rules = r#"routing_skill_rules{skill="debug",of="Model",sources="human,check",on_expired="Forget",exploration="Shadow",relative_to="Claude",check="Claude",grading="None"}"#;
    assert_eq!(it.routing.metric(rules).await, 1.0);
}

#[tokio::test]
async fn a_model_judges_answers_three_ways_without_knowing_who_gave_them() {
    for (grader, status) in [("says:pass", "pass"), ("says: **Fail.**", "fail"), ("says:unsure", "skip")] {
        let it = judged_by(grader, "2s", 10).await;
        let result = it.debug(CANARY).await;
        assert_eq!(it.verdicts(1).await, [verdict(&result.decisions("id")[0], status, "grader")]);
        let asked = it.models.received().into_iter().find(|request| request.model() == grader).expect("the judge's");
        let read: Value = serde_json::from_str(asked.message(1)).expect("JSON");
        assert_eq!(read["answer"], "Rome");
        assert!(read["task"].as_str().is_some_and(|task| task.contains(CANARY)) && asked.message(0).contains("a city"));
        assert!(!asked.body["messages"].to_string().contains("says:"), "nothing of a model's name");
        assert!(!it.routing.log().contains(CANARY) && !it.brain.verdicts()[0].to_string().contains(CANARY));
        assert_eq!(it.brain.messages().iter().filter(|message| !message.is_empty()).count(), 1, "no decision");
    }
}

#[tokio::test]
async fn claude_judges_if_the_policy_names_no_grader_and_a_failed_check_is_not_judged() {
    let it = It::start("says:Rome", "says:pass", graded("Claude", 10)).await;
    it.debug("x").await;
    assert_eq!(it.verdicts(1).await[0]["final_status"], "pass");
    let checked = tests::policy::merged(graded("Claude", 10), json!({"check": {"pattern": "never"}}));
    let it = It::start("says:Rome", "says:pass", checked).await;
    it.debug("x").await;
    it.debug("y").await;
    assert_eq!(it.verdicts(2).await.iter().filter(|verdict| verdict["source"] == "check").count(), 2);
    assert_eq!(it.models.asked(), ["says:Rome"; 2]);
}

#[tokio::test]
async fn a_grader_that_is_down_slow_or_talks_nonsense_changes_no_call() {
    for (grader, result) in [
        ("status-500", "failed"),
        ("hangs", "failed"),
        ("html", "failed"),
        ("says:I would say that it may pass", "unreadable"),
    ] {
        let it = judged_by(grader, "2s", 10).await;
        let answer = it.debug(CANARY).await;
        assert_eq!(
            (answer.is_error(), answer.text(0), answer.decisions("decision")),
            (false, "Rome", vec![json!("local")])
        );
        it.metric_becomes(&format!(r#"routing_gradings_total{{skill="debug",result="{result}"}}"#), 1.0).await;
        assert_eq!(it.brain.verdicts(), Vec::<Value>::new(), "{grader}");
        assert!(!it.routing.log().contains(CANARY), "{grader}");
    }
}

#[tokio::test]
async fn no_more_answers_are_judged_than_the_budget_and_two_at_a_time() {
    let it = judged_by("says:pass", "60s", 2).await;
    for i in 0..6 {
        assert_eq!(it.debug(&format!("problem {i}")).await.text(0), "Rome");
        // One after the other, so that none is left out because the judge is busy.
        let done = |results: [f64; 2]| results.iter().sum::<f64>() == f64::from(i + 1);
        waiting::until_true("the judgement to end", || async {
            let count = async |result| {
                it.routing.metric(&format!(r#"routing_gradings_total{{skill="debug",result="{result}"}}"#)).await
            };
            done([count("pass").await, count("over_budget").await])
        })
        .await;
    }
    assert_eq!(it.models.asked().iter().filter(|model| *model == "says:pass").count(), 2);
    let used_up: Vec<Value> = it.records(6).await.iter().map(|record| record["gradings_used_up"].clone()).collect();
    assert_eq!(json!(used_up), json!([null, null, true, true, true, true]), "as long as it is so");
    let grading = json!({"share": 1.0, "by": "Grader", "counts": false, "maxPerHour": 2, "left": 0});
    assert_eq!(it.routing.status().await["skills"][0]["grading"], grading);

    let it = judged_by("hangs", "60s", 100).await;
    for i in 0..6 {
        assert_eq!(it.debug(&format!("problem {i}")).await.text(0), "Rome");
    }
    it.metric_becomes(r#"routing_gradings_total{skill="debug",result="busy"}"#, 4.0).await;
}

#[tokio::test]
async fn a_trace_goes_on_with_every_attempt_of_a_call() {
    let check = json!({"check": {"pattern": "Rome"}, "onFailedCheck": "Claude"});
    for (local, then) in [("status-500", "claude_fallback"), ("says:nothing", "claude_escalation")] {
        let it = It::start(local, "says:Rome", check.clone()).await;
        let meta = json!({"traceparent": TRACE});
        let params = json!({"name": "debug", "arguments": {"project_root": "/tmp", "problem": "x"}, "_meta": meta});
        let answer = it.routing.mcp().send("tools/call", params).await.text().await.expect("an answer");
        assert!(answer.contains(then), "{answer}");
        let sent: Vec<_> = it.models.received().iter().map(|call| call.headers.get("traceparent").cloned()).collect();
        assert_eq!(sent, vec![Some(TRACE.parse().expect("a header")); 2], "{then}");
    }
}
