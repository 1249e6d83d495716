//! kill -9 during writes.

use std::collections::{BTreeMap, BTreeSet};

use tests::{
    postgres::Postgres,
    program::{Program, Running},
    waiting,
};

use crate::writers::{Acknowledged, Writers};

/// Kills of a test.
const ROUNDS: usize = 10;
/// Entries that are acknowledged between two kills, at least.
const A_ROUND: usize = 200;

async fn brain_on(server: &Postgres) -> Running {
    Program::brain().variable("BRAIN_DATABASE_URL", &server.url("postgres")).start().await
}

/// Waits until more is acknowledged.
async fn a_round(writers: &Writers) {
    let from = writers.count();
    waiting::until_true("entries to be acknowledged", || async { writers.count() >= from + A_ROUND }).await;
}

/// The rows of a query, each of texts with `|` between.
trait Ask {
    fn ask(&self, query: &str) -> Vec<String>;
}

struct File(String);

impl Ask for File {
    fn ask(&self, query: &str) -> Vec<String> {
        const SCRIPT: &str = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):\n  print('|'.join(str(field) for field in row))";
        let output = std::process::Command::new("python3").args(["-c", SCRIPT, &self.0, query]).output();
        let output = output.expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
    }
}

impl Ask for Postgres {
    fn ask(&self, query: &str) -> Vec<String> {
        self.sql("postgres", query).lines().map(str::to_string).collect()
    }
}

/// Every acknowledged entry is there once, with what follows from it, and the sums are those of what is there.
fn check(database: &impl Ask, acknowledged: &Acknowledged) {
    let pairs = |table: &str, id: &str, decision: &str| -> BTreeMap<String, String> {
        let rows = database.ask(&format!("SELECT {id}, {decision} FROM {table}"));
        let pairs: Vec<_> = rows.iter().filter_map(|row| row.split_once('|')).collect();
        let map: BTreeMap<String, String> =
            pairs.iter().map(|(id, decision)| ((*id).to_string(), (*decision).to_string())).collect();
        assert_eq!(map.len(), pairs.len(), "no id of {table} is there twice");
        map
    };
    let entries = pairs("entries", "id", "decision_id");
    let decisions = pairs("decisions", "entry_id", "id");
    for (kind, told, there) in [
        ("decisions", &acknowledged.decisions, &decisions),
        ("verdicts", &acknowledged.verdicts, &pairs("outcomes", "id", "unit")),
        ("gradings", &acknowledged.gradings, &pairs("gradings", "id", "decision_id")),
    ] {
        let lost: Vec<_> =
            told.iter().filter(|(id, of)| there.get(*id) != Some(*of) || entries.get(*id) != Some(*of)).collect();
        assert!(lost.is_empty(), "{} of {} {kind} are lost: {lost:?}", lost.len(), told.len());
        let once: BTreeSet<&String> = there.values().collect();
        assert_eq!(once.len(), there.len(), "no decision has two {kind}");
    }
    let number = |query: &str| database.ask(query).concat();
    for (counted, there) in [
        ("SELECT SUM(number) FROM counts WHERE width_ms = 86400000 AND what = 'entry'", "SELECT COUNT(*) FROM entries"),
        (
            "SELECT SUM(number) FROM counts WHERE width_ms = 86400000 AND what = 'decision'",
            "SELECT COUNT(*) FROM decisions",
        ),
        (
            "SELECT SUM(number) FROM counts WHERE width_ms = 86400000 AND what NOT IN ('entry', 'decision')",
            "SELECT COUNT(*) FROM outcomes WHERE state = 'stands'",
        ),
        ("SELECT SUM(calls) FROM spending WHERE width_ms = 86400000 AND arm = ''", "SELECT COUNT(*) FROM gradings"),
    ] {
        assert_eq!(number(counted), number(there), "{counted}");
    }
    println!(
        "acknowledged: {} decisions, {} verdicts, {} gradings; {} entries are there",
        acknowledged.decisions.len(),
        acknowledged.verdicts.len(),
        acknowledged.gradings.len(),
        entries.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_brain_on_sqlite_loses_and_doubles_nothing() {
    let mut brain = Program::brain().start().await;
    let writers = Writers::start(&[&brain]);
    for _ in 0..ROUNDS {
        a_round(&writers).await;
        brain.crash_and_restart().await;
    }
    let acknowledged = writers.stop().await;
    check(&File(brain.folder().join("data/routing/brain.db").display().to_string()), &acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_brain_on_postgres_loses_and_doubles_nothing() {
    let server = Postgres::start().await;
    let mut brain = brain_on(&server).await;
    let writers = Writers::start(&[&brain]);
    for _ in 0..ROUNDS {
        a_round(&writers).await;
        brain.crash_and_restart().await;
    }
    check(&server, &writers.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_postgres_loses_and_doubles_nothing() {
    let mut server = Postgres::start().await;
    let brain = brain_on(&server).await;
    let writers = Writers::start(&[&brain]);
    for _ in 0..ROUNDS {
        a_round(&writers).await;
        server.crash();
        server.run_again().await;
    }
    a_round(&writers).await;
    check(&server, &writers.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_brains_on_one_database_the_other_goes_on_when_one_is_killed() {
    let server = Postgres::start().await;
    let (mut killed, other) = (brain_on(&server).await, brain_on(&server).await);
    let (writers, of_the_other) = (Writers::start(&[&killed]), Writers::start(&[&other]));
    // Decisions of both have the same ids: each is there once.
    for _ in 0..ROUNDS {
        a_round(&writers).await;
        killed.kill();
        let began = std::time::Instant::now();
        a_round(&of_the_other).await;
        assert!(began.elapsed().as_secs() < 30, "the lock of the writers is free: {:?}", began.elapsed());
        killed.crash_and_restart().await;
    }
    let (mut all, more) = (writers.stop().await, of_the_other.stop().await);
    all.decisions.extend(more.decisions);
    // A verdict of the same source replaces the one before.
    let stand = server.ask("SELECT COUNT(*), COUNT(DISTINCT unit) FROM outcomes WHERE state = 'stands'").concat();
    let (stand, units) = stand.split_once('|').expect("two numbers");
    assert_eq!(stand, units, "one verdict stands on a decision");
    let entries: BTreeSet<String> = server.ask("SELECT id FROM entries").into_iter().collect();
    let told = all.decisions.keys().chain(all.verdicts.keys()).chain(more.verdicts.keys());
    let told: Vec<&String> = told.chain(all.gradings.keys()).chain(more.gradings.keys()).collect();
    let lost = told.iter().filter(|id| !entries.contains(**id)).count();
    assert_eq!(lost, 0, "of {}", told.len());
    let counted = server.ask("SELECT SUM(number) FROM counts WHERE width_ms = 86400000 AND what = 'entry'").concat();
    assert_eq!(counted, entries.len().to_string());
    println!("two brains: {} acknowledged, {} entries are there", told.len(), entries.len());
}

/// Whoever was not told sends the record once more: it is there once.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_is_sent_again_after_a_crash_is_there_once() {
    let mut brain = Program::brain().start().await;
    let writers = Writers::start(&[&brain]);
    for _ in 0..3 {
        a_round(&writers).await;
        brain.crash_and_restart().await;
    }
    let mut acknowledged = writers.stop().await;
    for decision in std::mem::take(&mut acknowledged.unknown).into_iter().take(100) {
        let record = serde_json::json!({"id": decision, "skill": "debug", "decision": "local", "model": "qwen"});
        let entry = serde_json::json!({"skill": "_routing", "final_status": "skip", "decision_id": decision, "decision": record});
        let first = crate::writers::log(&brain.mcp(), &entry).await.expect("logged");
        assert_eq!(crate::writers::log(&brain.mcp(), &entry).await, Some(first.clone()));
        acknowledged.decisions.insert(first, decision);
    }
    check(&File(brain.folder().join("data/routing/brain.db").display().to_string()), &acknowledged);
}
