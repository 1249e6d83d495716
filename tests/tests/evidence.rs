//! The real brain and a real data plane: verdicts count for the model that answered.

use std::time::Instant;

use serde_json::{Value, json};
use tests::{
    Policy, get_json, http,
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
            // A verdict that is there before its decision counts for the local model until then.
            judged(&rates) + judged(&rates["claude"]) == i + 1 && rates["decisions"] == i + 1
        })
        .await;
    }
    assert_eq!(local.iter().skip(20).filter(|local| **local).count(), 0, "{local:?}");
    let rates = it.rates().await;
    assert_eq!((&rates["pass_rate"], &rates["claude"]["pass_rate"]), (&json!(0.0), &json!(1.0)), "{rates}");
}

#[tokio::test]
async fn a_flood_of_outcomes_that_name_no_known_decision_is_bounded_and_holds_up_no_other_report() {
    let it = Evidence::start("local-model", json!({})).await;
    let mine = it.routing.mcp().debug("mine").await;
    let known = mine.decisions("id")[0].clone();
    let url = format!("{}/decisions?id={}", it.brain.base_url(), known.as_str().expect("an id"));
    waiting::until_true("the decision to be known", || async { get_json(&url).await["decisions"] != json!([]) }).await;
    let log = async |id: Option<String>, status: &str| {
        let mut entry = json!({"skill": "debug", "phase": "outcome", "final_status": status});
        if let Some(id) = id {
            entry["decision_id"] = json!(id);
        }
        it.brain.mcp().result("session_log", entry).await
    };
    let (mut taken, began) = (0, Instant::now());
    let refused = loop {
        // Half of them forge an id, and some of these say nothing about it.
        let forged = (taken % 2 == 0).then(|| format!("01a21508-5c0b-743a-bb1e-{taken:012}"));
        let result = log(forged, if taken % 4 == 0 { "skip" } else { "pass" }).await;
        if result.is_error() {
            break result;
        }
        taken += 1;
        // Two a second come back while it lasts.
        assert!(taken <= 121 + began.elapsed().as_secs() * 2, "{taken}");
    };
    assert!(taken >= 120, "{taken}");
    let reason = refused.text(0);
    let parts =
        ["nothing was logged: decision_id: more than 120 outcomes a minute from 127.0.0.1", "name the decision"];
    assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
    assert!(!it.report(&mine, "fail").await.is_error(), "what names a decision is not held up");
    assert_eq!(it.rates().await["fail"], json!(1));
}

#[tokio::test]
async fn a_report_tells_of_its_own_model_and_of_no_other_that_changes_meanwhile() {
    let it = Evidence::start(
        "local-model",
        json!({"skills": [{"name": "debug", "route": "Local", "onLocalError": "Claude"}]}),
    )
    .await;
    let mut ids = vec![];
    for n in 0..20 {
        ids.push(it.routing.mcp().debug(&format!("problem {n}")).await);
    }
    let all_known = || async {
        get_json(format!("{}/evidence?skill=debug", it.brain.base_url())).await["skills"][0]["decisions"] == 20
    };
    waiting::until_true("the decisions", all_known).await;
    let claude = |n: u64| {
        json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
            "decision": {"id": format!("01a21508-5c0b-743a-bb1e-{n:012}"), "skill": "debug", "decision": "claude",
            "model": "claude-model", "floor": 0.9, "ceil": 0.7}})
    };
    for n in 0..20 {
        assert!(!it.brain.mcp().result("session_log", claude(n)).await.is_error());
    }
    let local = futures::future::join_all(ids.iter().map(|result| it.report(result, "fail")));
    let claudes =
        futures::future::join_all((0..20_u64).map(|n| {
            let mcp = it.brain.mcp();
            let id = format!("01a21508-5c0b-743a-bb1e-{n:012}");
            async move {
                mcp.result("session_log", json!({"skill": "debug", "final_status": "pass", "decision_id": id})).await
            }
        }));
    let (local, claudes) = tokio::join!(local, claudes);
    assert!(local.iter().all(|told| !told.text(0).contains("claude (")), "{local:?}");
    assert!(claudes.iter().all(|told| !told.text(0).contains("local (")), "{claudes:?}");
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
    // A report that overtook its decision counted for the local model until the decision came.
    waiting::until_true("the rate that the data plane knows", || async {
        let status = it.routing.status().await;
        let skills = status["skills"].as_array().expect("skills");
        skills.iter().any(|skill| skill["name"] == "debug" && skill["passRate"].is_null())
    })
    .await;
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

/// What 0.1.0 of 2026-10 sends and asks: no source, no arm, nothing of exploration.
#[tokio::test]
async fn an_older_data_plane_is_served_as_it_expects_and_its_decisions_tell_the_models_apart() {
    let brain = Program::brain().start().await;
    let ids = ["01a20917-6803-711f-8633-8f52a9cce27f", "01a20917-6803-711f-8633-8f52a9cce280"];
    for (id, decision, model) in [(ids[0], "local", "qwen"), (ids[1], "claude", "c")] {
        let record = json!({"id": id, "time_ms": 1_760_000_000_000_u64, "skill": "debug", "stage": 0,
            "hash": "a3c2b1e0f4d59687", "pass_rate": null, "samples": 0, "evidence_age_ms": 0, "floor": 0.9, "ceil": 0.7,
            "reason": "no_pass_rate", "decision": decision, "model": model, "answered_by": model,
            "gateway_fallback": null, "prompt_tokens": 10, "completion_tokens": 20, "duration_ms": 15, "error": null,
            "caller": null, "session": null, "mode": "auto", "policy_hash": "ab"});
        let entry = json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
            "message": format!("debug: {decision} — model={model}, pass_rate=null"), "duration_ms": 15,
            "project_root": "", "decision": record});
        assert!(!brain.mcp().result("session_log", entry).await.is_error());
    }
    for (id, status) in [(ids[0], "fail"), (ids[1], "pass")] {
        let entry = json!({"skill": "debug", "phase": "outcome", "final_status": status, "decision_id": id});
        assert!(!brain.mcp().result("session_log", entry).await.is_error());
    }
    let of = |parameters: &str| get_json(format!("{}/pass-rate?skill=debug&window=7d{parameters}", brain.base_url()));
    let expected = json!({"skill": "debug", "window": "7d", "pass_rate": 0.5, "pass": 1, "fail": 1, "total": 2});
    assert_eq!(of("").await, expected, "the rate of all answers, as before");
    let newer = of("&local=qwen&claude=c").await;
    assert_eq!((&newer["pass_rate"], &newer["claude"]["pass_rate"]), (&json!(0.0), &json!(1.0)), "{newer}");
}

#[tokio::test]
async fn decisions_and_outcomes_are_read_behind_the_token_and_evidence_is_begun_anew() {
    let models = Models::start().await;
    let brain = Program::brain().variable("BRAIN_TOKEN", "brain-token").start().await;
    let measured = json!({"brain": {"url": brain.base_url(), "tokenSecretRef": {"name": "s", "key": "BRAIN_TOKEN"}},
        "evidence": {"ttl": "50ms"}});
    let program = Program::serve_policy(&Policy::at(&models.url()).local("local-model").spec(measured));
    std::fs::create_dir_all(program.folder().join("secrets/s")).expect("a folder");
    std::fs::write(program.folder().join("secrets/s/BRAIN_TOKEN"), "brain-token").expect("written");
    let routing = program.start().await;
    let result = routing.mcp().debug("CANARY of a prompt").await;
    let id = result.decisions("id")[0].clone();
    let get = async |path: &str| {
        let request = http().get(format!("{}{path}", brain.base_url())).bearer_auth("brain-token");
        request.send().await.expect("an answer").text().await.expect("text")
    };
    let json_of = async |path: &str| serde_json::from_str::<Value>(&get(path).await).expect("JSON");
    waiting::until_true("the decision", || async {
        json_of("/decisions?skill=debug").await["decisions"][0]["decision"]["id"] == id
    })
    .await;
    let mcp = brain.mcp().token("brain-token");
    for (source, status) in [("agent", "pass"), ("human", "fail")] {
        let entry = json!({"skill": "debug", "final_status": status, "decision_id": id, "source": source});
        let told = mcp.result("session_log", entry).await;
        assert!(told.text(0).contains("Pass rate of local (local-model): "), "{}", told.text(0));
    }
    let decided = json_of("/decisions?skill=debug&limit=1").await;
    assert_eq!(decided["decisions"][0]["verdicts"], json!({"agent": "pass", "human": "fail"}));
    assert_eq!(decided["decisions"][0]["decision"]["p_local"], json!(1.0), "fields without a column are kept, too");
    let outcomes = json_of("/outcomes?skill=debug").await;
    assert_eq!(
        (&outcomes["outcomes"][0]["source"], &outcomes["outcomes"][0]["model"]),
        (&json!("human"), &json!("local-model"))
    );
    let evidence = json_of("/evidence?skill=debug").await;
    assert_eq!(evidence["skills"][0]["models"][0]["fail"], json!(1), "{evidence}");

    for token in [None, Some(""), Some("wrong")] {
        let request = http().post(format!("{}/evidence/reset", brain.base_url()));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        let refused = request.body(json!({"skill": "debug"}).to_string()).send().await.expect("an answer");
        assert_eq!(refused.status(), 401, "{token:?}");
    }
    assert_eq!(json_of("/pass-rate?skill=debug&local=local-model").await["fail"], json!(1), "nothing was begun anew");
    let reset = async |body: Value| {
        let request = http().post(format!("{}/evidence/reset", brain.base_url())).bearer_auth("brain-token");
        request.body(body.to_string()).send().await.expect("an answer").json::<Value>().await.expect("JSON")
    };
    let misspelt = reset(json!({"skill": "debgu"})).await;
    assert_eq!(misspelt["error"], "skill=debgu: has no evidence; did you mean debug?");
    assert_eq!(reset(json!({"skill": "debug", "model": "local-model"})).await["ended"], json!(2));
    let rates = json_of("/pass-rate?skill=debug&local=local-model").await;
    assert!(rates["pass_rate"].is_null() && rates["since"].is_i64(), "{rates}");
    let readable = json_of("/outcomes?skill=debug").await;
    assert_eq!(readable["outcomes"].as_array().map(Vec::len), Some(2), "they stay readable");

    for path in ["/decisions?skill=debug", "/outcomes?skill=debug", "/evidence"] {
        assert!(!get(path).await.contains("CANARY"), "{path}");
        let url = format!("{}{path}", brain.base_url());
        assert_eq!(http().get(&url).send().await.expect("an answer").status(), 401, "{path}");
        let page = http().get(&url).bearer_auth("brain-token").header("sec-fetch-site", "same-origin");
        assert_eq!(page.send().await.expect("an answer").status(), 403, "{path}");
    }
    for (path, named) in [
        ("/decisions", "skill is missing"),
        ("/outcomes?skill=debug&limit=0", "limit: must be from 1 to 500"),
        ("/pass-rate?skill=debug&sources=human,me", "sources=me: is no source; the sources are human, ci, review"),
        ("/pass-rate?skill=debug&at_least=-1", "at_least: must be a whole number from 0 to 1000000"),
    ] {
        assert!(get(path).await.contains(named), "{path}");
    }
}

/// A skill whose answers a grader judges, all as `verdict`; waits for its verdicts on `calls` calls.
async fn graded(verdict: &str, evidence: Value, counts: bool, calls: usize) -> Evidence {
    let grading = json!({"share": "1", "maxPerHour": 100, "rubric": "r", "by": "Grader", "counts": counts});
    let it = Evidence::start(
        "local-model",
        json!({"models": {"grader": {"name": format!("says:{verdict}")}}, "evidence": evidence,
            "skills": [{"name": "debug", "grading": grading}]}),
    )
    .await;
    for call in 0..calls {
        it.routing.mcp().debug(&format!("problem {call}")).await;
        // Two are judged at a time; a further one would be left out.
        let url = format!("{}/outcomes?skill=debug", it.brain.base_url());
        waiting::until_true("the verdict", || async {
            get_json(&url).await["outcomes"].as_array().is_some_and(|outcomes| outcomes.len() > call)
        })
        .await;
    }
    it
}

/// Waits until a call goes there, and says why it does.
async fn route_becomes(it: &Evidence, decision: &str) -> Value {
    let mut call = 1000;
    waiting::until(decision, || {
        call += 1;
        async move {
            let result = it.routing.mcp().debug(&format!("problem {call}")).await;
            (result.decisions("decision")[0] == decision).then(|| result.decisions("reason")[0].clone())
        }
    })
    .await
}

#[tokio::test]
async fn a_grader_moves_a_route_only_where_the_policy_says_that_it_counts() {
    let it = graded("fail", json!({}), true, 4).await;
    assert_eq!(route_becomes(&it, "claude").await, json!("below_ceil"));
    for (verdict, evidence, counts, why) in [
        ("fail", json!({}), false, "counts: false"),
        ("fail", json!({"sources": ["human", "grader"]}), false, "counts: false, though listed"),
        ("fail", json!({"sources": ["human", "check"]}), true, "the grader is not among the sources"),
    ] {
        let it = graded(verdict, evidence, counts, 4).await;
        let status = it.routing.status().await;
        let skill = status["skills"].as_array().expect("skills").iter().find(|skill| skill["name"] == "debug");
        assert_eq!(skill.expect("debug")["passRate"], json!(null), "{why}");
        assert_eq!(went_to(&it.routing.mcp().debug("once more").await), "local", "{why}");
    }
}

#[tokio::test]
async fn a_grader_that_passes_everything_opens_no_route_where_it_does_not_count() {
    let it = graded("pass", json!({"ttl": "50ms"}), false, 4).await;
    let wrong = json!({"skill": "debug", "final_status": "fail", "source": "human"});
    assert!(!it.brain.mcp().result("session_log", wrong).await.is_error());
    assert_eq!(route_becomes(&it, "claude").await, json!("below_ceil"));
    let status = it.routing.status().await;
    let skill = status["skills"].as_array().expect("skills").iter().find(|skill| skill["name"] == "debug");
    let skill = skill.expect("debug");
    assert_eq!((&skill["passRate"], &skill["samples"]), (&json!(0.0), &json!(1)), "four passes of a grader beside it");
}

#[tokio::test]
async fn a_grader_that_passes_everything_overrules_no_person() {
    let it = graded("pass", json!({}), true, 4).await;
    for call in 0..4 {
        let result = it.routing.mcp().debug(&format!("judged by a person {call}")).await;
        let id = result.decisions("id")[0].clone();
        let entry = json!({"skill": "debug", "final_status": "fail", "decision_id": id, "source": "human"});
        assert!(!it.brain.mcp().result("session_log", entry).await.is_error());
    }
    let url = format!("{}/evidence?skill=debug", it.brain.base_url());
    waiting::until_true("the people's verdicts", || async {
        get_json(&url).await["skills"][0]["sources"]["human"] == 4
    })
    .await;
    let rates = it.rates().await;
    let fails = [&rates["fail"], &rates["claude"]["fail"]].map(|fails| fails.as_u64().unwrap_or_default());
    assert_eq!(fails.iter().sum::<u64>(), 4, "whoever answered: {rates}");
}
