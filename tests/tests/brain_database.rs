//! `routing brain copy` and `routing brain backup`, as a user runs them beside a brain that serves.

use std::{
    path::Path,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};
use tests::{
    get_json, http,
    postgres::{PASSWORD, Postgres},
    program::{self, Program, Running},
    waiting,
};

/// Where a brain of these tests has its file.
fn file(brain: &Running) -> String {
    brain.folder().join("data/routing/brain.db").display().to_string()
}

async fn report(brain: &Running, skill: &str, status: &str) -> bool {
    let call = json!({"name": "session_log", "arguments": {"skill": skill, "final_status": status}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).to_string();
    let sent = http().post(brain.mcp_url()).header("content-type", "application/json").body(body).send().await;
    let Ok(response) = sent else { return false };
    response.json::<Value>().await.is_ok_and(|answer| answer["result"]["isError"] == false)
}

/// What a brain says of three skills.
async fn rates(brain: &Running) -> Vec<Value> {
    let mut rates = vec![];
    for skill in ["debug", "code_review", "busy"] {
        rates.push(get_json(format!("{}/pass-rate?skill={skill}", brain.base_url())).await);
    }
    rates
}

async fn brain_with_outcomes() -> Running {
    let brain = Program::brain().variable("BRAIN_UNATTRIBUTED_PER_MINUTE", "1000000").start().await;
    for number in 0..40 {
        let status = if number % 4 == 0 { "fail" } else { "pass" };
        assert!(report(&brain, if number % 2 == 0 { "debug" } else { "code_review" }, status).await);
    }
    brain
}

/// Reports of a skill until it is dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Busy {
    fn with(brain: &Arc<Running>) -> Self {
        let (stop, brain) = (Arc::new(AtomicBool::new(false)), Arc::clone(brain));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut written = 0;
            while !stopped.load(Ordering::Relaxed) {
                written += u64::from(report(&brain, "busy", "pass").await);
            }
            written
        });
        Self { stop, task }
    }

    async fn written(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it ended")
    }
}

async fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> (Output, String) {
    let owned = |text: &&str| (*text).to_string();
    let (arguments, folder) = (arguments.iter().map(owned).collect::<Vec<_>>(), folder.to_path_buf());
    let variables: Vec<(String, String)> = variables.iter().map(|(name, text)| (owned(name), owned(text))).collect();
    let output = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, text)| (&**name, &**text)).collect();
        program::run(&arguments, &variables, &folder)
    });
    let output = output.await.expect("it ran");
    let said = [&*output.stdout, &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(!said.contains(PASSWORD), "{said}");
    (output, said)
}

fn tables(output: &Output) -> Value {
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["tables"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_move_to_postgres_and_back_while_the_first_brain_serves() {
    let postgres = Postgres::start().await;
    let brain = Arc::new(brain_with_outcomes().await);
    let (from, url) = (format!("sqlite:{}", file(&brain)), postgres.url("postgres"));
    let busy = Busy::with(&brain);
    waiting::until_true("a report", || async { rates(&brain).await[2]["total"].as_i64() > Some(0) }).await;
    let variables = [("BRAIN_COPY_FROM", &*from), ("BRAIN_COPY_TO", &*url)];
    let (output, said) = run(&["brain", "copy"], &variables, brain.folder()).await;
    let written = busy.written().await;
    assert!(output.status.success() && said.contains("every row is the same"), "{said}");
    let on_postgres = Program::brain().variable("BRAIN_DATABASE_URL", &url).start().await;
    let (here, there) = (rates(&brain).await, rates(&on_postgres).await);
    assert_eq!(here[..2], there[..2]);
    let busy = there[2]["total"].as_u64().expect("a number");
    assert!(busy > 0 && busy <= written, "{busy} of {written}");
    // Again: not empty. Back: into a file that does not exist yet.
    let (output, said) = run(&["brain", "copy"], &variables, brain.folder()).await;
    assert!(!output.status.success() && said.contains("is not empty: entries has"), "{said}");
    let back = brain.folder().join("back.db").display().to_string();
    let arguments = ["brain", "copy", "--from", &url, "--to", &format!("sqlite:{back}"), "--output", "json"];
    let (output, said) = run(&arguments, &[], brain.folder()).await;
    assert!(output.status.success(), "{said}");
    assert_eq!(tables(&output)["entries"], json!(40 + busy), "{said}");
    let in_file = Program::brain().variable("BRAIN_DATABASE_URL", &format!("sqlite:{back}")).start().await;
    assert_eq!(rates(&in_file).await, there);
    for copy in [&on_postgres, &in_file] {
        assert!(report(copy, "debug", "pass").await, "it writes on");
        assert_eq!(rates(copy).await[0]["total"], json!(21));
    }
}

/// By the steps of docs/brain.md.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_while_the_brain_writes_and_restored() {
    let brain = Arc::new(brain_with_outcomes().await);
    let folder = brain.folder().to_path_buf();
    let busy = Busy::with(&brain);
    waiting::until_true("a report", || async { rates(&brain).await[2]["total"].as_i64() > Some(0) }).await;
    // Of the default database, as the brain's.
    let (output, said) = run(&["brain", "backup", "backup.db", "--output", "json"], &[], &folder).await;
    assert!(output.status.success(), "{said}");
    let entries = tables(&output)["entries"].as_u64().expect("a number");
    busy.written().await;
    let expected = rates(&brain).await;
    let (output, said) = run(&["brain", "backup", "backup.db"], &[], &folder).await;
    assert!(!output.status.success() && said.contains("backup.db exists already"), "{said}");
    let file = file(&brain);
    let mut brain = Arc::into_inner(brain).expect("nobody else has it");
    brain.kill();
    for more in ["-wal", "-shm"] {
        // It may be gone.
        let _ = std::fs::remove_file(format!("{file}{more}"));
    }
    std::fs::copy(folder.join("backup.db"), &file).expect("restored");
    brain.crash_and_restart().await;
    let restored = rates(&brain).await;
    assert_eq!(restored[..2], expected[..2]);
    assert_eq!(restored[2]["total"], json!(entries - 40));
    assert!(report(&brain, "debug", "pass").await, "it writes on");
}

#[tokio::test]
async fn without_a_command_it_serves_and_its_help_names_the_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let (output, said) = run(&["brain", "--help"], &[], folder.path()).await;
    assert!(output.status.success(), "{said}");
    for part in ["Usage: routing brain [COMMAND]", "  copy  ", "  backup  ", "BRAIN_DATABASE_URL"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // A variable that only serving needs does not matter to a backup; that of the database does.
    let unrelated = [("BRAIN_REQUIRE_TOKEN", "true"), ("BRAIN_DATABASE_URL", "sqlite:none.db")];
    let (_, said) = run(&["brain", "backup", "b.db"], &unrelated, folder.path()).await;
    assert!(said.contains("none.db; name the file of a brain") && !said.contains("BRAIN_TOKEN"), "{said}");
    let url = format!("postgres://me:{PASSWORD}@db/brain");
    let (output, said) = run(&["brain", "backup", "b.db"], &[("BRAIN_DATABASE_URL", &url)], folder.path()).await;
    assert!(!output.status.success() && said.contains("pg_dump --format=custom --file=b.db"), "{said}");
    let (output, said) = run(&["brain", "copy", "--to", "x"], &[("BRAIN_COPY_FROM", &url)], folder.path()).await;
    assert!(!output.status.success() && said.contains("--to: x: must be sqlite:PATH"), "{said}");
}
