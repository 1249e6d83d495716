use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row;

use super::*;
use crate::{entry::FinalStatus, verdict::Sources};

mod calls;
mod migration;
mod recent;
mod recount;
mod report;
mod verdicts;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY: Duration = Duration::from_secs(86_400);

async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("deep/brain.db"))).await.expect("opens");
    (store, folder)
}

fn entry(skill: &str, final_status: FinalStatus) -> Entry {
    let arguments = json!({"skill": skill, "final_status": final_status, "session_id": "s"});
    Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default()).expect("an entry")
}

fn over(skill: &str, window: Duration) -> Query {
    Query { skill: skill.into(), window, local: None, sources: Sources::default(), at_least: 0 }
}

/// The rate of all answers, and the number of entries.
async fn rate(store: &Store, skill: &str, window: Duration, now: i64) -> (i64, i64, i64) {
    let evidence = store.evidence_at(&over(skill, window), now).await.expect("evidence");
    (evidence.rate.pass, evidence.rate.fail, evidence.total)
}

async fn append_at(store: &Store, skill: &str, status: FinalStatus, at_ms: i64) {
    store.writer.append(entry(skill, status), at_ms).await.expect("written");
}

#[tokio::test]
async fn the_rate_is_pass_of_pass_and_fail_and_total_counts_every_entry() {
    let (store, _folder) = store().await;
    assert_eq!(store.evidence(&over("debug", DAY)).await.expect("evidence"), Evidence::default());
    for (status, times) in [(FinalStatus::Pass, 9), (FinalStatus::Fail, 1), (FinalStatus::Skip, 5)] {
        for _ in 0..times {
            store.append(entry("debug", status)).await.expect("written");
        }
    }
    store.append(entry("other", FinalStatus::Fail)).await.expect("written");
    let evidence = store.evidence(&over("debug", DAY)).await.expect("evidence");
    assert_eq!((evidence.rate, evidence.total), (Rate { pass_rate: Some(0.9), pass: 9, fail: 1 }, 15));
}

#[tokio::test]
async fn a_window_starts_at_a_full_minute_and_counts_everything_since() {
    let (store, _folder) = store().await;
    let now = 1_800_000_000_000 + 17 * MINUTE_MS + 31_000;
    let start = floor_to(now - 2 * HOUR_MS, MINUTE_MS);
    append_at(&store, "debug", FinalStatus::Fail, start - 1).await;
    for at in [start, start + 59_999, start + 50 * MINUTE_MS, now - HOUR_MS, now - 1, now] {
        append_at(&store, "debug", FinalStatus::Pass, at).await;
    }
    assert_eq!(rate(&store, "debug", Duration::from_secs(7200), now).await, (6, 0, 6));
    assert_eq!(rate(&store, "debug", Duration::from_secs(7260), now).await, (6, 1, 7));
    assert_eq!(rate(&store, "debug", Duration::from_secs(99_999 * 86_400), now).await, (6, 1, 7));
}

#[tokio::test]
async fn entries_written_together_are_all_there_after_a_restart() {
    let (store, folder) = store().await;
    let writes = (0..500).map(|_| store.append(entry("debug", FinalStatus::Pass)));
    let ids: Vec<String> = futures::future::try_join_all(writes).await.expect("all written");
    store.close().await;
    assert!(matches!(store.append(entry("debug", FinalStatus::Pass)).await, Err(StoreError::Closed)));
    let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("deep/brain.db"))).await.expect("opens again");
    assert_eq!(store.evidence(&over("debug", DAY)).await.expect("evidence").total, 500);
    let read: Vec<String> =
        store.session("s", SESSION_ENTRIES_MAX).await.expect("entries").into_iter().map(|e| e.id).collect();
    assert_eq!(read.len(), ids.len());
}

#[tokio::test]
async fn a_pass_rate_reads_only_the_counts_and_by_their_key() {
    let (store, _folder) = store().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", counts::SUMS)));
    let rows = plan.bind("debug").fetch_all(&store.readers).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").expect("detail")).collect();
    let searches = steps.iter().filter(|step| step.starts_with("SEARCH counts USING INDEX")).count();
    assert_eq!(searches, 3, "{steps:#?}");
    assert!(steps.iter().all(|step| !step.contains("entries") && !step.starts_with("SCAN counts")), "{steps:#?}");
}

#[tokio::test]
async fn only_the_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = store().await;
    store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
    for file in std::fs::read_dir(folder.path().join("deep")).expect("a folder").flatten() {
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn the_error_about_an_unwritable_folder_names_the_file_and_the_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let error = Store::open(&DatabaseUrl::sqlite(file.join("brain.db"))).await.err().expect("a file is not a folder");
    let message = error.to_string();
    assert!(message.contains("file/brain.db") && message.contains("BRAIN_DATABASE_URL"), "{message}");
}

#[tokio::test]
async fn entries_of_a_clock_that_was_ahead_do_not_count_until_then() {
    let (store, _folder) = store().await;
    let (now, ahead) = (1_800_000_000_000, 10 * 24 * HOUR_MS);
    for _ in 0..3 {
        append_at(&store, "debug", FinalStatus::Fail, now + ahead).await;
    }
    for _ in 0..3 {
        append_at(&store, "debug", FinalStatus::Pass, now).await;
    }
    for window in [Duration::from_secs(600), DAY, 7 * DAY] {
        assert_eq!(rate(&store, "debug", window, now).await, (3, 0, 3), "{window:?}");
    }
    assert_eq!(rate(&store, "debug", DAY, now + ahead).await, (0, 3, 3));
}

#[tokio::test]
async fn nothing_is_acknowledged_once_the_file_is_deleted_or_replaced() {
    for replace in [false, true] {
        let (store, folder) = store().await;
        let path = folder.path().join("deep/brain.db");
        store.append(entry("debug", FinalStatus::Pass)).await.expect("written");
        std::fs::remove_file(&path).expect("deleted");
        if replace {
            std::fs::write(&path, "").expect("replaced");
        }
        let refused = store.append(entry("debug", FinalStatus::Pass)).await.expect_err("lost");
        assert!(matches!(&refused, StoreError::Replaced { path: named } if *named == path), "{refused:?}");
        assert!(refused.to_string().contains("restart the brain"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_the_cure_of_its_cause() {
    let sqlite = async |path: &std::path::Path, statement: &'static str| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("opens");
        sqlx::query(statement).execute(&pool).await.expect("done");
        pool.close().await;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(
        path("text"),
        "not a database, and longer than the header of one, which has a hundred bytes".repeat(9),
    )
    .expect("written");
    sqlite(&path("foreign"), "CREATE TABLE theirs (x TEXT)").await;
    Store::open(&DatabaseUrl::sqlite(path("newer"))).await.expect("opens").close().await;
    sqlite(
        &path("newer"),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', 1, '', 0)",
    )
    .await;
    std::fs::create_dir(path("folder")).expect("a folder");
    for (name, cure) in [
        ("text", "restore a backup"),
        ("foreign", "belongs to another program"),
        ("newer", "a newer version wrote it"),
        ("folder", "set BRAIN_DATABASE_URL"),
    ] {
        let refused = Store::open(&DatabaseUrl::sqlite(path(name))).await.err().expect("refused").to_string();
        assert!(refused.contains(&path(name).display().to_string()) && refused.contains(cure), "{name}: {refused}");
    }
}
