//! Answers that a policy keeps for review, and those that it does not.

use std::fs;

use serde_json::{Value, json};
use tests::{
    Policy, get_json,
    mcp::CallResult,
    program::{self, Program, Running},
    stand_in::{brain::Brain, models::Models},
    waiting,
};

/// A model, and what it answers. No record has this text.
const MODEL: &str = "zz";
const ANSWER: &str = "answer of zz";
const PROMPT: &str = "CANARY-PROMPT";
/// Largest answer that is kept, in bytes.
const MOST: usize = 64 * 1024;

/// A data plane and a brain that log all they can.
struct It {
    _models: Models,
    brain: Running,
    routing: Running,
}

impl It {
    async fn start(local: &str, claude: &str, spec: Value) -> Self {
        let models = Models::start().await;
        let brain = Program::brain().variable("BRAIN_DATABASE_URL", "sqlite:brain.db").variable("RUST_LOG", "trace");
        let brain = brain.start().await;
        let policy = Policy::at(&models.url()).local(local).claude(claude);
        let policy = policy.spec(json!({"brain": {"url": brain.base_url()}})).spec(spec);
        let routing = Program::serve_policy(&policy).variable("RUST_LOG", "trace,notify=off").start().await;
        Self { _models: models, brain, routing }
    }

    async fn debug(&self) -> CallResult {
        self.routing.mcp().debug(PROMPT).await
    }

    async fn api(&self, path: &str) -> Value {
        get_json(format!("{}/api/v1/{path}", self.brain.base_url())).await
    }

    /// Waits until so many answers are kept; returns them.
    async fn kept(&self, number: usize) -> Vec<Value> {
        waiting::until("the answers", || async {
            let reviews = self.api("reviews").await["reviews"].as_array().cloned().unwrap_or_default();
            (reviews.len() == number).then_some(reviews)
        })
        .await
    }

    /// Waits until the brain knows so many decisions.
    async fn decided(&self, number: usize) {
        waiting::until_true("the decisions", || async {
            self.api("decisions").await["decisions"].as_array().is_some_and(|decisions| decisions.len() == number)
        })
        .await;
    }

    /// Whether a file of the brain's has this text.
    fn is_stored(&self, text: &str) -> bool {
        let files = fs::read_dir(self.brain.folder()).expect("its folder").flatten();
        let mut files = files.filter(|file| file.file_name().to_string_lossy().starts_with("brain.db")).peekable();
        assert!(files.peek().is_some(), "no database");
        files.any(|file| {
            let bytes = fs::read(file.path()).expect("readable");
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    /// Whether logs, metrics or statuses have this text.
    async fn is_told(&self, text: &str) -> bool {
        let shown = [
            self.routing.log(),
            self.brain.log(),
            self.routing.admin("/metrics").await,
            self.routing.status().await.to_string(),
            self.api("decisions").await.to_string(),
        ];
        shown.iter().any(|shown| shown.contains(text))
    }
}

fn review(keep: &str) -> Value {
    json!({"review": {"keep": keep, "share": "1"}})
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_and_deleted_and_is_in_no_log() {
    let it = It::start(MODEL, "c", review("5s")).await;
    let result = it.debug().await;
    assert_eq!(result.text(0), ANSWER, "{result:?}");
    let review = it.kept(1).await.remove(0);
    assert_eq!((&review["answer"], &review["cut"]), (&json!(ANSWER), &json!(false)));
    assert_eq!(review["decision"], result.decisions("id")[0]);
    let time = |field: &str| review[field].as_i64().expect("a time");
    assert_eq!((time("until_ms") - time("at_ms"), &review["share"]), (5_000, &json!(1.0)));
    assert!(it.is_stored(ANSWER), "encryption is not claimed");
    it.kept(0).await;
    waiting::until_true("the row's end", || async { it.brain.log().contains("kept for review are deleted") }).await;
    assert!(it.brain.log().contains(r#""deleted":1"#), "only it");
    assert!(!it.is_told(ANSWER).await, "in no log and no metric");
    assert!(!it.is_stored(PROMPT) && !it.is_told(PROMPT).await, "no prompt");
}

#[tokio::test]
async fn without_review_nothing_of_an_answer_is_stored() {
    let it = It::start(MODEL, "c", json!({})).await;
    it.debug().await;
    it.debug().await;
    it.decided(2).await;
    assert!(it.is_stored("no_pass_rate"), "the decisions are in the file");
    assert!(!it.is_stored(ANSWER) && !it.is_told(ANSWER).await);
    assert_eq!(it.routing.status().await["review"], json!(null));
    assert_eq!(it.api("reviews").await, json!({"kept": 0, "keep_ms": 0, "share": 0.0, "reviews": []}));
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let it = It::start("longer", "c", review("1h")).await;
    let given = it.debug().await.text(0).to_string();
    let review = it.kept(1).await.remove(0);
    assert!(given.len() > 100 * 1024 && review["cut"] == json!(true), "{} bytes", given.len());
    assert_eq!(review["answer"], json!(given[..MOST]));
}

#[tokio::test]
async fn what_the_caller_got_is_kept_and_no_error() {
    let keep = review("1h");
    let check = json!({"skills": [{"name": "debug", "check": {"pattern": "of zz"}, "onFailedCheck": "Claude"}]});
    let it = It::start("other", MODEL, tests::policy::merged(keep.clone(), check)).await;
    let result = it.debug().await;
    let review = it.kept(1).await.remove(0);
    assert_eq!((&review["answer"], &review["decision"]), (&json!(ANSWER), &result.decisions("id")[1]), "Claude's");
    let it = It::start("status-500", "status-500", keep).await;
    assert!(it.debug().await.is_error());
    it.decided(2).await;
    assert_eq!(it.api("reviews").await["kept"], 0);
}

#[tokio::test]
async fn a_brain_that_keeps_no_answers_gets_none_and_that_is_said_once() {
    let (models, brain) = (Models::start().await, Brain::that_takes_verdicts(Brain::rate("null")).await);
    let policy = Policy::at(&models.url()).local(MODEL).spec(json!({"brain": {"url": brain.url()}}));
    let routing = Program::serve_policy(&policy.spec(review("24h"))).start().await;
    for problem in ["x", "y"] {
        routing.mcp().debug(problem).await;
    }
    let dropped = r#"routing_reviews_dropped_total{kind="not_supported"}"#;
    waiting::until_true("both are dropped", || async { routing.metric(dropped).await == 2.0 }).await;
    assert_eq!(brain.entries().len(), 2, "the decisions");
    assert!(brain.entries().iter().all(|entry| !entry.to_string().contains(ANSWER)));
    let log = routing.log();
    let warned = log.lines().filter(|line| line.contains("WARN") && line.contains("no argument review"));
    assert_eq!(warned.count(), 1, "{log}");
    let status = routing.status().await["review"].clone();
    assert_eq!((&status["keepMs"], &status["share"]), (&json!(86_400_000), &json!(1.0)));
    assert!(status["problem"].as_str().is_some_and(|problem| problem.contains("no argument review")), "{status}");
    let admin = format!("http://127.0.0.1:{}", routing.ports.admin);
    let shown = program::run(&["status", "--url", &admin], &[], routing.folder());
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = "Kept for review: 100 % of the answers, each for 24 h, but the brain keeps none";
    assert!(shown.contains(line), "{shown}");
}
