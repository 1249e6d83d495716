//! The commands that show and change evidence, with the real programs.

mod commits;

use std::process::Command;

use serde_json::{Value, json};
use tests::{
    Policy, get_json, ports,
    program::{self, Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

struct It {
    brain: Running,
    routing: Running,
    _models: Models,
}

/// What a command printed, and whether it succeeded.
struct Printed {
    ok: bool,
    out: String,
    error: String,
}

impl Printed {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("JSON: {} {}", self.out, self.error))
    }

    fn has(&self, parts: &[&str]) -> bool {
        parts.iter().all(|part| self.out.contains(part) || self.error.contains(part))
    }
}

fn printed(arguments: &[&str], variables: &[(&str, &str)], folder: &std::path::Path) -> Printed {
    let output = program::run(arguments, variables, folder);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Printed { ok: output.status.success(), out: text(output.stdout), error: text(output.stderr) }
}

impl It {
    /// The verdicts on a decision of `debug`, by source.
    async fn verdicts(&self, id: &str) -> Value {
        let listed = get_json(format!("{}/decisions?id={id}", self.brain.base_url())).await;
        assert_eq!(listed["decisions"][0]["decision"]["id"], id, "the decision, and no other: {listed}");
        listed["decisions"][0]["verdicts"].clone()
    }

    async fn start() -> Self {
        Self::with(Program::brain()).await
    }

    async fn with(brain: Program) -> Self {
        let models = Models::start().await;
        let brain = brain.start().await;
        let measured = json!({"brain": {"url": brain.base_url()}, "evidence": {"ttl": "50ms"}});
        let policy = Policy::at(&models.url()).local("local-model").claude("claude-model").spec(measured);
        let routing = Program::serve_policy(&policy).start().await;
        Self { brain, routing, _models: models }
    }

    fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.routing.ports.admin)
    }

    /// Runs a command with the brain in `BRAIN_URL`, in its folder.
    fn run(&self, arguments: &[&str]) -> Printed {
        printed(arguments, &[("BRAIN_URL", &self.brain.base_url())], self.brain.folder())
    }

    /// The id of the decision on a call of `debug`, once the brain has it.
    async fn decision(&self, problem: &str) -> String {
        let result = self.routing.mcp().debug(problem).await;
        let id = result.decisions("id")[0].as_str().expect("an id").to_string();
        let url = format!("{}/decisions?skill=debug&limit=500", self.brain.base_url());
        waiting::until_true("the decision in the brain", || async { get_json(&url).await.to_string().contains(&id) })
            .await;
        id
    }
}

#[tokio::test]
async fn status_shows_on_one_screen_where_calls_go_why_and_the_last_decisions_with_their_verdicts() {
    let it = It::start().await;
    let mut ids = vec![];
    for problem in ["a", "b", "c"] {
        ids.push(it.decision(problem).await);
    }
    for id in &ids[..2] {
        assert!(it.run(&["outcome", "debug", "fail", "--decision", id, "--source", "human"]).ok);
    }
    let url = it.admin_url();
    waiting::until_true("the rate", || async { it.routing.status().await.to_string().contains("below_ceil") }).await;
    let text = it.run(&["status", "--url", &url]);
    assert!(text.ok, "{}", text.error);
    let lines = [
        "local-model",
        "claude-model",
        "0.00 of 2 is below 0.70",
        "0.00 [0.00–0.66] of 2",
        "67 % of 3",
        "LOCKED",
        "human: fail",
        "no verdict",
        &ids[2],
    ];
    assert!(text.has(&lines), "{}", text.out);
    let json = it.run(&["status", "--url", &format!("{url}/"), "--output", "json"]).json();
    let debug =
        json["skills"].as_array().expect("skills").iter().find(|skill| skill["name"] == "debug").expect("debug");
    assert_eq!((&debug["route"], &debug["samples"], &debug["locked"]), (&json!("claude"), &json!(2), &json!(true)));
    assert!(debug["interval"]["high"].as_f64().is_some_and(|high| (0.65..0.67).contains(&high)), "{debug}");
    assert_eq!(json["decisions"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["decisions"][0]["decision"]["id"], json!(ids[2]), "the latest first");
}

#[tokio::test]
async fn status_names_who_does_not_answer_and_the_cure() {
    let it = It::with(Program::brain().variable("BRAIN_TOKEN", "brain-token")).await;
    let folder = it.brain.folder();
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    let (admin, brain, mcp) = (it.admin_url(), it.brain.base_url(), it.routing.base_url());
    for (arguments, variables, parts) in [
        (vec!["--url", &*nobody], vec![], vec!["nothing answers at", &*nobody, "routing serve", "--url"]),
        (vec!["--url", &brain], vec![], vec!["is not the admin port of a data plane", &brain, "ROUTING_ADMIN_PORT"]),
        (vec!["--url", &mcp], vec![], vec!["is not the admin port of a data plane", &mcp]),
        (vec!["--url", "localhost"], vec![], vec!["--url: localhost: must be an http or https URL"]),
        (vec!["--url", &admin, "--brain-url", &brain], vec![], vec!["BRAIN_TOKEN is not set", "Skills"]),
        (vec!["--url", &admin, "--brain-url", &brain], vec![("BRAIN_TOKEN", "x")], vec!["does not accept the token"]),
        (vec!["--url", &admin, "--brain-url", &nobody], vec![], vec!["unreachable", "Skills"]),
    ] {
        let arguments = [vec!["status"], arguments].concat();
        let found = printed(&arguments, &variables, folder);
        assert!(!found.ok && found.has(&parts), "{arguments:?}: {} {}", found.out, found.error);
        assert!(found.error.lines().count() <= 1, "{}", found.error);
    }
    let arguments = ["status", "--url", &admin, "--brain-url", &brain];
    assert!(printed(&arguments, &[("BRAIN_TOKEN", "brain-token")], folder).has(&["none yet"]));
}

#[tokio::test]
async fn evidence_is_shown_per_model_and_begun_anew_and_misspelt_names_reset_nothing() {
    let it = It::start().await;
    let empty = it.run(&["evidence", "show"]);
    assert!(empty.ok && empty.out == "no evidence yet\n", "{} {}", empty.out, empty.error);
    let id = it.decision("a").await;
    assert!(it.run(&["outcome", "debug", "fail", "--decision", &id]).ok);
    let shown = it.run(&["evidence", "show", "debug"]);
    assert!(
        shown.has(&["debug: 1 model calls, verdicts by agent 1", "local-model", "0.00 [0.00–0.79] of 1"]),
        "{}",
        shown.out
    );
    let json = it.run(&["evidence", "show", "--output", "json"]).json();
    let model = &json["skills"][0]["models"][0];
    assert_eq!((&model["model"], &model["fail"], &model["decisions"]), (&json!("local-model"), &json!(1), &json!(1)));
    for (arguments, parts) in [
        (vec!["show", "debugg"], vec!["no evidence of a skill debugg; did you mean debug?"]),
        (vec!["reset", "debugg"], vec!["nothing was reset", "debugg", "did you mean debug?"]),
        (vec!["reset", "debug", "--model", "local-modle"], vec!["--model", "local-modle", "did you mean local-model?"]),
        (vec!["show", "--brain-url", "http://127.0.0.1:1"], vec!["the brain at http://127.0.0.1:1 is unreachable"]),
        (
            vec!["show", "--brain-url", &*it.routing.base_url()],
            vec!["keeps no evidence per model (404)", "--brain-url"],
        ),
    ] {
        let found = it.run(&[vec!["evidence"], arguments.clone()].concat());
        assert!(!found.ok && found.has(&parts) && found.error.lines().count() == 1, "{arguments:?}: {}", found.error);
    }
    assert!(it.run(&["evidence", "show"]).has(&["of 1"]), "nothing was reset so far");
    let reset = it.run(&["evidence", "reset", "debug", "--model", "local-model"]);
    assert!(reset.has(&["reset: debug of local-model; 1 outcomes count no more"]), "{} {}", reset.out, reset.error);
    let again = it.run(&["evidence", "reset", "debug", "--output", "json"]).json();
    assert_eq!(again, json!({"skill": "debug", "model": null, "ended": 0}));
    let shown = it.run(&["evidence", "show", "debug"]);
    assert!(shown.has(&["not measured", "begun anew"]), "{}", shown.out);
}

#[tokio::test]
async fn an_outcome_of_a_skill_without_evidence_is_refused_with_the_nearest_name_unless_it_is_new() {
    let it = It::start().await;
    it.decision("a").await;
    let refused = it.run(&["outcome", "debugg", "fail"]);
    let parts = ["not reported", "no evidence of a skill debugg; did you mean debug?", "--new-skill"];
    assert!(!refused.ok && refused.has(&parts) && refused.error.lines().count() == 1, "{}", refused.error);
    assert!(it.run(&["outcome", "debug", "fail"]).ok);
    let new = it.run(&["outcome", "mine", "pass", "--new-skill"]);
    assert!(new.has(&["reported: mine pass"]), "{} {}", new.out, new.error);
    assert!(it.run(&["outcome", "mine", "pass"]).ok, "it is known now");
    let other = Brain::start(Brain::rate("null")).await;
    let (url, folder) = (other.url(), it.brain.folder().to_path_buf());
    // The other brain answers in this process.
    let report = move || printed(&["outcome", "whatever", "pass", "--brain-url", &url], &[], &folder);
    let taken = tokio::task::spawn_blocking(report).await.expect("runs");
    assert!(taken.ok, "a brain without GET /evidence takes it as before: {}", taken.error);
}

#[tokio::test]
async fn a_misspelt_skill_with_a_decision_that_nobody_knows_is_refused_too() {
    let it = It::start().await;
    let id = it.decision("a").await;
    let unknown = "01890000-0000-7000-8000-000000000000";
    let refused = it.run(&["outcome", "debugg", "fail", "--decision", unknown]);
    assert!(!refused.ok && refused.has(&["debugg; did you mean debug?", "--new-skill"]), "{}", refused.error);
    assert!(it.run(&["outcome", "debug", "fail", "--decision", &id]).ok, "of a known decision");
    assert!(it.run(&["outcome", "own", "pass", "--decision", unknown, "--new-skill"]).ok);
}

#[tokio::test]
async fn a_report_is_taken_back_by_its_decision_alone() {
    let it = It::start().await;
    let id = it.decision("a").await;
    let retract = |more: &[&str]| it.run(&[&["outcome", "--retract", "--decision", &id], more].concat());
    let nothing = retract(&[]);
    let parts = ["nothing was taken back", "there is no verdict of source agent", &id, "to take back"];
    assert!(!nothing.ok && nothing.has(&parts) && nothing.error.lines().count() == 1, "{}", nothing.error);
    assert!(it.run(&["outcome", "debug", "fail", "--decision", &id]).ok);
    assert!(it.run(&["outcome", "debug", "pass", "--decision", &id, "--source", "human"]).ok);
    let taken = retract(&["--source", "human"]);
    assert!(
        taken.ok && taken.has(&["retracted: debug", "1.00 of 1 before, 0.00 of 1 now"]),
        "{} {}",
        taken.out,
        taken.error
    );
    assert_eq!(it.verdicts(&id).await, json!({"agent": "fail"}));

    let unknown = "01890000-0000-7000-8000-000000000000";
    let found = it.run(&["outcome", "--retract", "--decision", unknown]);
    assert!(!found.ok && found.has(&["does not know the decision", unknown, "name its skill"]), "{}", found.error);
    let without = it.run(&["outcome", "debug", "--retract"]);
    assert!(!without.ok && without.has(&["--decision <ID>"]), "{}", without.error);
}

#[tokio::test]
async fn how_far_a_grader_agrees_with_people_is_shown_with_its_interval() {
    let it = It::start().await;
    for (problem, human, grader) in [("a", "pass", "pass"), ("b", "fail", "pass"), ("c", "fail", "fail")] {
        let id = it.decision(problem).await;
        for (source, verdict) in [("human", human), ("grader", grader)] {
            assert!(it.run(&["outcome", "debug", verdict, "--decision", &id, "--source", source]).ok);
        }
    }
    // Judged by one of them alone.
    let id = it.decision("d").await;
    assert!(it.run(&["outcome", "debug", "pass", "--decision", &id, "--source", "grader"]).ok);
    let shown = it.run(&["evidence", "show", "debug"]);
    assert!(shown.has(&["grader agrees with people:  0.67 [0.21–0.94] of 3"]), "{}", shown.out);
    let json = it.run(&["evidence", "show", "debug", "--output", "json"]).json();
    assert_eq!(json["skills"][0]["agreement"], json!({"grader": {"same": 2, "of": 3}}));
}

#[tokio::test]
async fn status_shows_the_last_ten_decisions_and_watch_shows_each_change_until_it_is_interrupted() {
    let it = It::start().await;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let watch = Command::new(tests::program::binary())
        .args(["status", "--watch", "--output", "json", "--url", &it.admin_url(), "--brain-url", &it.brain.base_url()])
        .stdout(log.reopen().expect("a file"))
        .spawn()
        .expect("it starts");
    // One line of JSON for each look; the last one may not be whole yet.
    let looks = || {
        let text = std::fs::read_to_string(log.path()).expect("text");
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    };
    waiting::until_true("a look at nothing", || async { looks().iter().any(|seen| seen["decisions"] == json!([])) })
        .await;
    let mut ids = vec![];
    for n in 0..12 {
        ids.push(json!(it.decision(&format!("problem {n}")).await));
    }
    let latest: Vec<Value> = ids.into_iter().rev().take(10).collect();
    let shown = |seen: &Value| {
        let decisions = seen["decisions"].as_array().cloned().unwrap_or_default();
        decisions.iter().map(|known| known["decision"]["id"].clone()).collect::<Vec<_>>()
    };
    waiting::until_true("the last ten", || async { looks().last().is_some_and(|seen| shown(seen) == latest) }).await;
    interrupt(watch).await;
}

#[tokio::test]
async fn watch_writes_one_screen_after_the_other_for_a_person() {
    let it = It::start().await;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let watch = Command::new(tests::program::binary())
        .args(["status", "--watch", "--url", &it.admin_url(), "--brain-url", &it.brain.base_url()])
        .stdout(log.reopen().expect("a file"))
        .spawn()
        .expect("it starts");
    let screen = || std::fs::read_to_string(log.path()).expect("text");
    waiting::until_true("a screen", || async { screen().contains("debug") }).await;
    let id = it.decision("a problem").await;
    waiting::until_true("the call on a later one", || async { screen().contains(&id) }).await;
    assert!(!screen().contains("\"skills\""), "{}", screen());
    interrupt(watch).await;
}

/// It ends as a program that did what it was asked.
async fn interrupt(mut program: std::process::Child) {
    let interrupted = Command::new("kill").args(["-INT", &program.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success());
    waiting::until_true("its end", || {
        std::future::ready(program.try_wait().expect("a status").is_some_and(|status| status.success()))
    })
    .await;
}

/// Answers as a brain that a record reaches only after it was asked for it: without any skill, then with one decision.
async fn brain_that_hears_late() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Json, Router, routing};
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let decisions = move || {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let known = json!([{"decision": {"skill": "debug"}, "at": 1, "verdicts": {}}]);
        std::future::ready(Json(json!({"decisions": if first { json!([]) } else { known }})))
    };
    let logged =
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "reported: pass"}]}});
    let app = Router::new()
        .route("/evidence", routing::get(|| async { Json(json!({"skills": []})) }))
        .route("/decisions", routing::get(decisions))
        .route("/mcp", routing::post(|| async { Json(logged) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async { axum::serve(listener, app).await });
    (format!("http://{address}"), asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_about_a_call_of_just_now_waits_for_its_record() {
    let (url, asked) = brain_that_hears_late().await;
    let id = "01a21508-5c0b-743a-bb1e-000000000001";
    let arguments = ["outcome", "debug", "pass", "--decision", id, "--brain-url", &url];
    let output = tests::program::run(&arguments, &[], std::path::Path::new("/tmp"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}
