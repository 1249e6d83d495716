//! The loop: reported outcomes move a skill's route, and only its own.

use std::{collections::BTreeSet, time::Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::{
    Policy,
    calls::{self, CALLS},
    clients, get_json, program,
    program::{Program, Running},
    stand_in::models::Models,
    waiting,
};

/// Contents that are decided at a time.
const AT_A_TIME: usize = 25;

struct Loop {
    brain: Running,
    routing: Running,
    models: Models,
}

impl Loop {
    async fn start() -> Self {
        Self::with_ttl("50ms").await
    }

    /// With a short TTL reports count soon; a long one keeps the first rate.
    async fn with_ttl(ttl: &str) -> Self {
        let models = Models::start().await;
        let brain = Program::brain().variable("BRAIN_UNATTRIBUTED_PER_MINUTE", "1000").start().await;
        let measured = json!({"brain": {"url": brain.base_url()}, "evidence": {"ttl": ttl, "holdFor": "0s"}});
        let policy = Policy::at(&models.url()).local("local-model").claude("claude-model").spec(measured);
        let routing = Program::serve_policy(&policy).start().await;
        Self { brain, routing, models }
    }

    /// Reports outcomes of `code_review` with the real MCP client, half of them in each protocol era.
    async fn report_by_mcp(&self, status: &'static str, times: usize) {
        for (mode, times) in clients::MODES.into_iter().zip([times / 2, times - times / 2]) {
            let url = self.brain.mcp_url();
            let logged = tokio::task::spawn_blocking(move || {
                clients::python(&url, mode, &["session-log", &times.to_string(), "code_review", status])
            });
            assert_eq!(logged.await.expect("runs")["logged"], json!(times));
        }
    }

    /// Reports outcomes of `code_review` with the command line.
    async fn report_by_command(&self, outcome: &'static str, times: usize) {
        for _ in 0..times {
            let (url, folder) = (self.brain.base_url(), self.brain.folder().to_path_buf());
            let output = tokio::task::spawn_blocking(move || {
                program::run(
                    &["outcome", "code_review", outcome, "--new-skill", "--session", "s", "--brain-url", &url],
                    &[],
                    &folder,
                )
            });
            let output = output.await.expect("runs");
            assert!(output.status.success(), "{output:?}");
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = format!("reported: code_review {outcome}\nPass rate of local (local-model): ");
            assert!(printed.starts_with(&expected) && printed.contains(" before, "), "{printed}");
        }
    }

    async fn rate(&self) -> Value {
        let url = format!("{}/pass-rate?skill=code_review&window=7d", self.brain.base_url());
        get_json(url).await
    }

    /// Calls a skill with different content each time until its decisions have this reason; returns the last decision.
    async fn decision(&self, reason: &str) -> String {
        let mut i = 0;
        waiting::until(reason, || {
            i += 1;
            let arguments = json!({"project_root": "/tmp", "files": [], "diff": format!("change {i}")});
            async move {
                let result = self.routing.mcp().result("code_review", arguments).await;
                (result.decisions("reason") == [json!(reason)])
                    .then(|| result.decisions("decision")[0].as_str().unwrap_or_default().to_string())
            }
        })
        .await
    }

    async fn others_are_untouched(&self) {
        for (tool, arguments) in tests::mcp::CONTRACT_CALLS.into_iter().skip(1) {
            let result = self.routing.mcp().result(tool, serde_json::from_str(arguments).expect("JSON")).await;
            assert!(result.decisions("reason").iter().all(|reason| reason == "no_pass_rate"), "{tool}: {result:?}");
        }
    }
}

#[tokio::test]
async fn reported_failures_flip_a_route_and_passes_bring_it_back() {
    let it = Loop::start().await;
    assert_eq!(it.decision("no_pass_rate").await, "local");

    it.report_by_mcp("fail", 10).await;
    it.report_by_command("fail", 10).await;
    assert_eq!((it.rate().await["pass_rate"].clone(), it.rate().await["fail"].clone()), (json!(0.0), json!(20)));
    assert_eq!(it.decision("below_ceil").await, "claude");
    it.others_are_untouched().await;

    it.report_by_mcp("pass", 169).await;
    it.report_by_command("pass", 10).await;
    let rate = it.rate().await;
    assert_eq!((&rate["pass"], &rate["fail"]), (&json!(179), &json!(20)));
    it.decision("split").await;
    it.others_are_untouched().await;

    it.report_by_command("pass", 1).await;
    assert_eq!(it.rate().await["pass_rate"], json!(0.9), "180 of 200");
    assert_eq!(it.decision("at_or_above_floor").await, "local");
    it.others_are_untouched().await;
}

#[tokio::test]
async fn in_the_band_both_models_are_used_and_the_same_content_always_goes_the_same_way() {
    let it = Loop::with_ttl("1h").await;
    it.report_by_mcp("pass", 8).await;
    it.report_by_mcp("fail", 2).await;
    it.decision("split").await;
    let began = Instant::now();
    let twice = stream::iter(0..CALLS).map(|content| decided_twice(&it.routing, content));
    let seen: BTreeSet<String> = twice.buffer_unordered(AT_A_TIME).collect().await;
    calls::print("contents twice", 2 * CALLS, began);
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["claude", "local"]);
}

/// Where a content goes, which is asked for again.
async fn decided_twice(routing: &Running, content: usize) -> String {
    let decide = async || {
        let arguments = json!({"project_root": "/tmp", "files": [], "diff": format!("content {content}")});
        routing.mcp().result("code_review", arguments).await.decisions("decision")
    };
    let first = decide().await;
    assert_eq!(decide().await, first, "content {content}");
    first[0].as_str().unwrap_or_default().to_string()
}

#[tokio::test]
async fn an_outcome_is_tied_to_its_decision_and_an_unreachable_brain_is_an_error_with_its_address() {
    let it = Loop::start().await;
    let result = it.routing.mcp().result("code_review", json!({"project_root": "/tmp", "files": []})).await;
    let id = result.decisions("id")[0].as_str().expect("an id").to_string();
    assert!(result.text(1).contains(&format!("decision_id={id}")), "{}", result.text(1));
    let (url, folder) = (it.brain.base_url(), it.brain.folder().to_path_buf());
    let arguments = [
        "outcome",
        "code_review",
        "pass",
        "--decision",
        &id,
        "--session",
        "mine",
        "--output",
        "json",
        "--brain-url",
        &url,
    ];
    let output = program::run(&arguments, &[], &folder);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let session: Value = get_json(format!("{url}/sessions/mine")).await;
    assert_eq!((&session["entries"][0]["decision_id"], &session["entries"][0]["id"]), (&json!(id), &printed["id"]));
    assert_eq!(
        (&session["entries"][0]["phase"], &session["entries"][0]["final_status"]),
        (&json!("outcome"), &json!("pass"))
    );

    let nobody = format!("http://127.0.0.1:{}", tests::ports::free());
    let output = program::run(&["outcome", "debug", "fail", "--brain-url", &nobody], &[], &folder);
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && printed.contains(&nobody) && printed.contains("not reported"), "{printed}");
    let output = program::run(&["outcome", "no skill!", "fail", "--brain-url", &url], &[], &folder);
    assert!(!output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_retrospective_reads_the_calls_of_its_session_and_how_they_turned_out() {
    let it = Loop::start().await;
    let ask = async |session: &str, problem: &str| {
        let arguments = json!({"project_root": "/tmp", "problem": problem, "session_id": session});
        it.routing.mcp().result("debug", arguments).await.decisions("id")[0].as_str().expect("an id").to_string()
    };
    let (mine, other) = (ask("s1", "mine").await, ask("s2", "another's").await);
    let entries = async |session: &str| {
        get_json(format!("{}/sessions/{session}", it.brain.base_url())).await["entries"]
            .as_array()
            .cloned()
            .expect("a list")
    };
    waiting::until_true("the decisions in the brain", || async { entries("_routing").await.len() == 2 }).await;
    // Neither report names a session; one names no decision either.
    for (skill, outcome, decision) in
        [("debug", "pass", Some(&mine)), ("debug", "fail", Some(&other)), ("trainer", "fail", None)]
    {
        let mut arguments = vec!["outcome", skill, outcome, "--new-skill"];
        arguments.extend(decision.iter().flat_map(|id| ["--decision", id.as_str()]));
        let output = program::run(&arguments, &[("BRAIN_URL", &it.brain.base_url())], it.brain.folder());
        assert!(output.status.success(), "{output:?}");
    }
    let shown = |entries: &[Value]| {
        let shown = |entry: &Value| [&entry["skill"], &entry["final_status"], &entry["decision_id"]].map(Value::clone);
        entries.iter().map(shown).collect::<Vec<_>>()
    };
    let of = |id: &str, outcome: &str| {
        [[json!("_routing"), json!("skip"), json!(id)], [json!("debug"), json!(outcome), json!(id)]]
    };
    assert_eq!(shown(&entries("s1").await), of(&mine, "pass"));
    assert_eq!(shown(&entries("s2").await), of(&other, "fail"));
    let without = shown(&entries("_none").await);
    assert_eq!(without.len(), 3, "what names no session has a place, too: {without:?}");
    assert_eq!(without[2], [json!("trainer"), json!("fail"), json!(null)]);

    it.routing.mcp().result("retrospective", json!({"project_root": "/tmp", "session_id": "s1"})).await;
    let prompt = it.models.received().last().expect("the call").message(1).to_string();
    assert!(prompt.contains(r#"<session_log entries="2">"#), "{prompt}");
    assert!(prompt.contains("debug: local — model=local-model, pass_rate=null"), "{prompt}");
    assert!(prompt.contains(r#""skill": "debug", "phase": "outcome", "final_status": "pass""#), "{prompt}");
    assert!(!prompt.contains(r#""final_status": "fail""#), "nothing of another session: {prompt}");
}

#[tokio::test]
async fn infrastructure_errors_are_not_quality_failures() {
    let models = Models::start().await;
    let brain = Program::brain().start().await;
    let measured = json!({"brain": {"url": brain.base_url()}, "evidence": {"ttl": "50ms"}});
    let policy = Policy::at(&models.url()).local("status-500").spec(measured);
    let routing = Program::serve_policy(&policy).start().await;
    for i in 0..30 {
        routing.mcp().debug(&format!("call {i}")).await;
    }
    let url = format!("{}/pass-rate?skill=_routing&window=1h", brain.base_url());
    waiting::until_true("the decisions in the brain", || async { get_json(&url).await["total"].as_u64() >= Some(35) })
        .await;
    let url = format!("{}/pass-rate?skill=debug&window=1h", brain.base_url());
    let rate: Value = get_json(url).await;
    assert_eq!(
        (&rate["pass_rate"], &rate["total"]),
        (&json!(null), &json!(0)),
        "a night with the local model down moves no route"
    );
}
