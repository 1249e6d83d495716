//! Whose rate decides, and the calls that go against it: live, and in the background.

use serde_json::{Value, json};
use tests::{
    Policy,
    program::{Program, Running},
    stand_in::{
        brain::{Brain, PassRate},
        models::Models,
    },
    waiting,
};

/// Outcomes of a local model that is below ceil, and of Claude: passes and fails.
const BAD: (u64, u64) = (4, 37);
const CLAUDE: (u64, u64) = (20, 2);

fn policy(models: &Models, brain: &Brain, evidence: Value) -> Policy {
    Policy::at(&models.url()).spec(json!({"brain": {"url": brain.url()}, "evidence": evidence}))
}

async fn serve(models: &Models, brain: &Brain, evidence: Value) -> Running {
    Program::serve_policy(&policy(models, brain, evidence)).start().await
}

async fn stand_ins(answer: PassRate) -> (Models, Brain) {
    (Models::start().await, Brain::that_takes_decisions(answer).await)
}

fn exploring(mode: &str, share: &str) -> Value {
    json!({"exploration": {"mode": mode, "share": share}})
}

/// The arguments of the entries of a phase.
fn entries(brain: &Brain, phase: &str) -> Vec<Value> {
    let arguments = brain.entries().into_iter().map(|entry| entry["params"]["arguments"].clone());
    arguments.filter(|entry| entry["phase"] == phase).collect()
}

async fn skill(routing: &Running) -> Value {
    let status = routing.status().await;
    let skills = status["skills"].as_array().expect("a list");
    skills.iter().find(|skill| skill["name"] == "debug").expect("debug").clone()
}

#[tokio::test]
async fn the_rate_of_the_local_model_is_asked_for_with_claudes_beside_it() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let routing = serve(&models, &brain, json!({"minSamples": 20, "sources": ["ci", "human"]})).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(brain.pass_rates_asked(), ["skill=debug&window=7d&local=l&claude=c&sources=human%2Cci&at_least=20"]);
    assert_eq!((result.text(0), result.decisions("reason")), ("answer of c", vec![json!("below_ceil")]));
    assert!(result.text(1).starts_with("routing: debug: claude (c, local 0.10 of 41); decision_id"), "{result:?}");
    assert_eq!(result.decisions("evidenceOf"), [json!("l")]);
    assert_eq!((result.decisions("claudeSamples"), result.decisions("pLocal")), (vec![json!(22)], vec![json!(0.0)]));
    let record = waiting::until("the record", || async { entries(&brain, "decide").pop() }).await["decision"].clone();
    assert_eq!(
        (&record["evidence_of"], &record["claude_samples"], &record["samples"]),
        (&json!("l"), &json!(22), &json!(41))
    );
    assert_eq!((&record["sources"], &result.decisions("sources")[0]), (&json!(["human", "ci"]), &record["sources"]));
    assert_eq!(record.get("held"), None, "only what applies");
}

#[tokio::test]
async fn forgetting_and_the_skills_own_rate_ask_for_less() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let forgets = serve(&models, &brain, json!({"onExpired": "Forget", "sources": ["human"]})).await;
    forgets.mcp().debug("x").await;
    let of_skill = serve(&models, &brain, json!({"of": "Skill"})).await;
    let result = of_skill.mcp().debug("x").await;
    assert_eq!(
        brain.pass_rates_asked(),
        ["skill=debug&window=7d&local=l&claude=c&sources=human", "skill=debug&window=7d"]
    );
    assert_eq!(result.decisions("evidenceOf"), [json!(null)]);
    assert!(result.text(1).starts_with("routing: debug: claude (c, pass rate 0.10 of 41); "), "{result:?}");
}

#[tokio::test]
async fn a_brain_that_does_not_tell_models_apart_is_used_as_before() {
    let (models, brain) = stand_ins(Brain::rate("0.94")).await;
    let relative = json!({"thresholds": {"floor": "0.90", "ceil": "0.70", "relativeTo": "Claude"}});
    let routing = Program::serve_policy(&policy(&models, &brain, json!({})).spec(relative)).start().await;
    let result = routing.mcp().debug("x").await;
    assert_eq!((result.text(0), result.decisions("reason")), ("answer of l", vec![json!("at_or_above_floor")]));
    assert_eq!(
        (result.decisions("evidenceOf"), result.decisions("claudePassRate")),
        (vec![json!(null)], vec![json!(null)])
    );
    brain.answer(PassRate::Status(500));
    assert_eq!(skill(&routing).await["locked"], false);
}

#[tokio::test]
async fn a_renamed_local_model_starts_unmeasured() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let routing = serve(&models, &brain, json!({})).await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of c");
    brain.answer(Brain::of_models((0, 0), CLAUDE));
    let renamed = policy(&models, &brain, json!({})).local("better").to_string();
    std::fs::write(routing.folder().join("policy.yaml"), renamed).expect("written");
    waiting::until_true("the new model", || async { routing.mcp().debug("x").await.text(0) == "answer of better" })
        .await;
    assert!(brain.pass_rates_asked().last().expect("asked").contains("local=better"));
}

#[tokio::test]
async fn relative_to_claude_a_local_model_that_is_as_good_stays() {
    let (models, brain) = stand_ins(Brain::of_models((26, 24), (26, 24))).await;
    let absolute = serve(&models, &brain, json!({})).await;
    assert_eq!(absolute.mcp().debug("x").await.decisions("reason"), [json!("below_ceil")]);
    let thresholds = json!({"thresholds": {"floor": "0.90", "ceil": "0.70", "relativeTo": "Claude"}});
    let relative = Program::serve_policy(&policy(&models, &brain, json!({})).spec(thresholds)).start().await;
    let result = relative.mcp().debug("x").await;
    assert_eq!((result.text(0), result.decisions("reason")), ("answer of l", vec![json!("at_or_above_floor")]));
    let floor = result.decisions("effectiveFloor")[0].as_f64().expect("a number");
    assert!((floor - 0.9 * 0.52).abs() < 1e-9, "{floor}");
    let reported = skill(&relative).await["floor"].as_f64().expect("a number");
    assert!((reported - floor).abs() < 1e-9, "{reported}");
}

#[tokio::test]
async fn a_live_exploration_gets_the_local_answer_and_says_so() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let routing = serve(&models, &brain, exploring("Live", "1")).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer of l");
    assert_eq!(
        (result.decisions("decision"), result.decisions("reason")),
        (vec![json!("local")], vec![json!("explored")])
    );
    assert_eq!(result.decisions("pLocal"), [json!(1.0)]);
    assert!(result.text(1).contains("local (l, local 0.10 of 41, explored)"), "{result:?}");
    let explored = r#"routing_decisions_total{skill="debug",decision="local",reason="explored"}"#;
    assert_eq!(routing.metric(explored).await, 1.0);
    let skill = skill(&routing).await;
    assert_eq!(
        (&skill["route"], &skill["reason"]),
        (&json!("claude"), &json!("below_ceil")),
        "where the rate sends it"
    );
}

#[tokio::test]
async fn a_share_of_the_local_calls_goes_to_claude() {
    let (models, brain) = stand_ins(Brain::of_models((50, 0), (0, 0))).await;
    let evidence = json!({"exploration": {"mode": "Live", "share": "0", "claudeShare": "1"}});
    let result = serve(&models, &brain, evidence).await.mcp().debug("x").await;
    assert_eq!((result.text(0), result.decisions("reason")), ("answer of c", vec![json!("explored")]));
    assert_eq!(result.decisions("pLocal"), [json!(0.0)]);
}

#[tokio::test]
async fn a_shadow_call_is_recorded_and_never_shown() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let routing = serve(&models, &brain, exploring("Shadow", "1")).await;
    let result = routing.mcp().debug("CANARY-PROMPT").await;
    assert_eq!((result.text(0), result.decisions("decision")), ("answer of c", vec![json!("claude")]));
    let entry = waiting::until("the shadow's entry", || async { entries(&brain, "shadow").pop() }).await;
    assert_eq!((&entry["skill"], &entry["final_status"]), (&json!("debug"), &json!("skip")));
    let record = &entry["decision"];
    assert_eq!(
        (&record["shadow"], &record["decision"], &record["reason"]),
        (&json!(true), &json!("local"), &json!("explored"))
    );
    assert_eq!((&record["model"], &record["completion_tokens"]), (&json!("l"), &json!(7)));
    assert_eq!(entry["decision_id"], record["id"]);
    assert_eq!(models.asked(), ["c", "l"], "after the answer");
    let [first, shadow] = models.received().try_into().expect("two requests");
    assert_eq!((first.message(0), first.message(1)), (shadow.message(0), shadow.message(1)), "the same question");
    assert_eq!(entries(&brain, "decide").len(), 1, "no entry of the contract's");
    assert_eq!(routing.metric(r#"routing_shadow_calls_total{skill="debug",result="answered"}"#).await, 1.0);
    let metrics = routing.admin("/metrics").await;
    assert!(!metrics.contains(r#"decision="local""#), "no decision of a caller: {metrics}");
    waiting::until_true("the log line", || async { routing.log().contains(r#""shadow":true"#) }).await;
    assert!(!routing.log().contains("CANARY-PROMPT") && !entry.to_string().contains("CANARY-PROMPT"));
}

#[tokio::test]
async fn shadow_calls_have_their_own_places_and_delay_no_call() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let policy = policy(&models, &brain, exploring("Shadow", "1")).local("waits");
    let routing = Program::serve_policy(&policy.spec(json!({"limits": {"inFlight": 1}}))).start().await;
    for i in 0..10 {
        let result = routing.mcp().debug(&format!("call {i}")).await;
        assert_eq!(result.text(0), "answer of c", "{result:?}");
    }
    let dropped = r#"routing_shadow_calls_total{skill="debug",result="dropped"}"#;
    assert_eq!(routing.metric(dropped).await, 6.0, "four at a time");
    waiting::until_true("four questions", || async {
        models.asked().iter().filter(|model| *model == "waits").count() == 4
    })
    .await;
    waiting::until_true("their entries", || async {
        models.release();
        entries(&brain, "shadow").len() == 4
    })
    .await;
}

#[tokio::test]
async fn a_shadow_call_that_fails_is_no_fallback_and_no_outcome() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let policy = policy(&models, &brain, exploring("Shadow", "1")).local("hangs");
    let routing = Program::serve_policy(&policy.spec(json!({"timeouts": {"local": "100ms"}}))).start().await;
    assert!(!routing.mcp().debug("x").await.is_error());
    let entry = waiting::until("the shadow's entry", || async { entries(&brain, "shadow").pop() }).await;
    assert_eq!((&entry["final_status"], &entry["decision"]["error"]), (&json!("skip"), &json!("timeout")));
    assert_eq!(models.asked(), ["c", "hangs"], "nobody else is asked");
}

#[tokio::test]
async fn another_brain_gets_nothing_of_shadow_calls() {
    let (models, brain) = (Models::start().await, Brain::start(Brain::rate("0.1")).await);
    let routing = serve(&models, &brain, exploring("Shadow", "1")).await;
    routing.mcp().debug("x").await;
    waiting::until_true("the shadow call", || async {
        routing.metric(r#"routing_shadow_calls_total{skill="debug",result="answered"}"#).await == 1.0
    })
    .await;
    // SIGINT delivers what is queued.
    let mut routing = routing;
    routing.signal("INT");
    assert!(routing.ended().await.success());
    assert_eq!(brain.messages(), ["debug: claude — model=c, pass_rate=0.10"]);
}

#[tokio::test]
async fn held_evidence_decides_and_is_seen() {
    let (models, brain) = stand_ins(Brain::held(Brain::of_models(BAD, CLAUDE), 700_000_000)).await;
    let routing = serve(&models, &brain, json!({})).await;
    let result = routing.mcp().debug("x").await;
    assert_eq!(result.text(0), "answer of c");
    assert_eq!(
        (result.decisions("held"), result.decisions("heldAgeMs")),
        (vec![json!(true)], vec![json!(700_000_000)])
    );
    assert!(result.text(1).contains("claude (c, local 0.10 of 41, held)"), "{result:?}");
    assert_eq!(routing.metric(r#"routing_held_decisions_total{skill="debug"}"#).await, 1.0);
    let skill = skill(&routing).await;
    assert_eq!((&skill["held"], &skill["heldAgeMs"]), (&json!(true), &json!(700_000_000)));
}

#[tokio::test]
async fn a_skill_that_cannot_come_back_by_itself_is_shown_as_locked() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let routing = serve(&models, &brain, json!({"ttl": "100ms"})).await;
    let skill_now = skill(&routing).await;
    assert_eq!(
        (&skill_now["locked"], &skill_now["coverage"], &skill_now["decisions"]),
        (&json!(true), &json!(0.5), &json!(126))
    );
    assert_eq!((&skill_now["evidenceOf"], &skill_now["claudeSamples"]), (&json!("l"), &json!(22)));
    let gauge = r#"routing_evidence_locked{skill="debug"}"#;
    assert_eq!(routing.metric(gauge).await, 1.0);
    let explores = policy(&models, &brain, exploring("Shadow", "0.01")).to_string();
    std::fs::write(routing.folder().join("policy.yaml"), explores).expect("written");
    waiting::until_true("the lock to go", || async { skill(&routing).await["locked"] == false }).await;
    assert_eq!(routing.metric(gauge).await, 0.0);
}

#[tokio::test]
async fn from_the_environment_alone_nothing_of_this_happens() {
    let (models, brain) = stand_ins(Brain::of_models(BAD, CLAUDE)).await;
    let program = Program::serve().variable("LITELLM_BASE_URL", &models.url()).variable("BRAIN_URL", &brain.url());
    let routing = program.start().await;
    for i in 0..100 {
        let result = routing.mcp().debug(&format!("call {i}")).await;
        assert_eq!(result.decisions("reason"), [json!("below_ceil")]);
        assert_eq!(result.decisions("claudePassRate"), [json!(null)]);
    }
    assert_eq!(brain.pass_rates_asked(), ["skill=debug&window=7d"]);
    assert_eq!(skill(&routing).await["locked"], false);
    waiting::until_true("the entries", || async { brain.entries().len() == 100 }).await;
    assert_eq!(entries(&brain, "shadow"), Vec::<Value>::new());
}

#[tokio::test]
async fn what_judges_a_shadow_answer_judges_the_shadows_own_decision() {
    let models = Models::start().await;
    let brain = Brain::that_takes_verdicts(Brain::of_models(BAD, CLAUDE)).await;
    let grading = json!({"share": "1", "maxPerHour": 100, "rubric": "r", "by": "Grader"});
    let debug = json!({"name": "debug", "grading": grading, "check": {"pattern": "says|answer", "counts": "Both"}});
    let more = json!({"models": {"grader": {"name": "says:fail"}}, "skills": [debug]});
    let policy = policy(&models, &brain, exploring("Shadow", "1")).local("says:says so").spec(more);
    let routing = Program::serve_policy(&policy).start().await;
    let result = routing.mcp().debug("x").await;
    assert_eq!((result.text(0), result.decisions("decision")), ("answer of c", vec![json!("claude")]));
    let shadow = waiting::until("the shadow's entry", || async { entries(&brain, "shadow").pop() }).await;
    let of = |id: Value| {
        let mine = brain.verdicts().into_iter().filter(|verdict| verdict["decision_id"] == id);
        let mut said: Vec<_> = mine.map(|verdict| json!([verdict["source"], verdict["final_status"]])).collect();
        said.sort_by_key(Value::to_string);
        json!(said)
    };
    let both = json!([["check", "pass"], ["grader", "fail"]]);
    let (shown, hidden) = (result.decisions("id")[0].clone(), shadow["decision"]["id"].clone());
    waiting::until_true("all verdicts", || async { of(shown.clone()) == both && of(hidden.clone()) == both }).await;
    assert_ne!(shown, hidden);
}

#[tokio::test]
async fn a_shadow_call_that_fails_in_any_way_changes_no_callers_answer_and_judges_nothing() {
    for (local, result) in [
        ("status-500", json!("status")),
        ("html", json!("not_json")),
        ("empty-answer", json!("empty")),
        ("hangs", json!("timeout")),
    ] {
        let models = Models::start().await;
        let brain = Brain::that_takes_verdicts(Brain::of_models(BAD, CLAUDE)).await;
        let debug = json!({"name": "debug", "check": {"pattern": "answer", "counts": "Fail"}});
        let more = json!({"skills": [debug], "timeouts": {"local": "1s", "total": "30s"}});
        let policy = policy(&models, &brain, exploring("Shadow", "1")).local(local).spec(more);
        let routing = Program::serve_policy(&policy).start().await;
        let answer = routing.mcp().debug("x").await;
        assert_eq!((answer.text(0), answer.decisions("decision")), ("answer of c", vec![json!("claude")]), "{local}");
        let shadow = waiting::until("the shadow's entry", || async { entries(&brain, "shadow").pop() }).await;
        assert_eq!((&shadow["final_status"], &shadow["decision"]["error"]), (&json!("skip"), &result), "{local}");
        // SIGINT delivers what is queued, so a late verdict would be seen.
        let mut routing = routing;
        routing.signal("INT");
        assert!(routing.ended().await.success(), "{local}");
        assert_eq!(brain.verdicts(), Vec::<Value>::new(), "{local}");
    }
}

/// It has an answer, and one that its check refuses, whatever the pattern finds in the part that came.
#[tokio::test]
async fn a_cut_shadow_answer_fails_its_check_as_a_callers_would() {
    let models = Models::start().await;
    let brain = Brain::that_takes_verdicts(Brain::of_models(BAD, CLAUDE)).await;
    let debug = json!({"name": "debug", "check": {"pattern": "an", "counts": "Both"}});
    let policy = policy(&models, &brain, exploring("Shadow", "1")).local("cut").spec(json!({"skills": [debug]}));
    let mut routing = Program::serve_policy(&policy).start().await;
    assert_eq!(routing.mcp().debug("x").await.text(0), "answer of c");
    let shadow = waiting::until("the shadow's entry", || async { entries(&brain, "shadow").pop() }).await;
    routing.signal("INT");
    assert!(routing.ended().await.success());
    let said: Vec<_> =
        brain.verdicts().into_iter().filter(|said| said["decision_id"] == shadow["decision_id"]).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["source"], &said[0]["final_status"]), (&json!("check"), &json!("fail")));
}
