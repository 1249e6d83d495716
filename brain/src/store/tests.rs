use serde_json::json;

use super::*;
use crate::entry::FinalStatus;

const DAY: Duration = Duration::from_secs(86_400);

async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&DatabaseUrl(folder.path().join("deep/brain.db"))).await.expect("opens");
    (store, folder)
}

fn entry(skill: &str, final_status: FinalStatus) -> Entry {
    let arguments = json!({"skill": skill, "final_status": final_status, "session_id": "s"});
    Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default()).expect("an entry")
}

async fn append_at(store: &Store, skill: &str, status: FinalStatus, at_ms: i64) {
    store.writer.append(entry(skill, status), at_ms).await.expect("written");
}

#[tokio::test]
async fn the_rate_is_pass_of_pass_and_fail_and_total_counts_every_entry() {
    let (store, _folder) = store().await;
    assert_eq!(store.pass_rate("debug", DAY).await.expect("a rate"), PassRate::default());
    for (status, times) in [(FinalStatus::Pass, 9), (FinalStatus::Fail, 1), (FinalStatus::Skip, 5)] {
        for _ in 0..times {
            store.append(entry("debug", status)).await.expect("written");
        }
    }
    store.append(entry("other", FinalStatus::Fail)).await.expect("written");
    let rate = store.pass_rate("debug", DAY).await.expect("a rate");
    assert_eq!(rate, PassRate { pass_rate: Some(0.9), pass: 9, fail: 1, total: 15 });
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
    let rate = store.pass_rate_at("debug", Duration::from_secs(7200), now).await.expect("a rate");
    assert_eq!((rate.pass, rate.fail), (6, 0));
    let longer = store.pass_rate_at("debug", Duration::from_secs(7260), now).await.expect("a rate");
    assert_eq!((longer.pass, longer.fail), (6, 1));
    let everything = store.pass_rate_at("debug", Duration::from_secs(99_999 * 86_400), now).await.expect("a rate");
    assert_eq!((everything.pass, everything.fail), (6, 1));
}

#[tokio::test]
async fn entries_written_together_are_all_there_after_a_restart() {
    let (store, folder) = store().await;
    let writes = (0..500).map(|_| store.append(entry("debug", FinalStatus::Pass)));
    let ids: Vec<String> = futures::future::try_join_all(writes).await.expect("all written");
    store.close().await;
    assert!(matches!(store.append(entry("debug", FinalStatus::Pass)).await, Err(StoreError::Closed)));
    let store = Store::open(&DatabaseUrl(folder.path().join("deep/brain.db"))).await.expect("opens again");
    assert_eq!(store.pass_rate("debug", DAY).await.expect("a rate").total, 500);
    let read: Vec<String> =
        store.session("s", SESSION_ENTRIES_MAX).await.expect("entries").into_iter().map(|e| e.id).collect();
    assert_eq!(read.len(), ids.len());
}

#[tokio::test]
async fn a_pass_rate_reads_only_the_counts_and_by_their_key() {
    let (store, _folder) = store().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {PASS_RATE}")));
    let plan = plan.bind("debug").bind(HOUR_MS).bind(0_i64).bind(MINUTE_MS).bind(0_i64);
    let rows = plan.fetch_all(&store.readers).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").expect("detail")).collect();
    let searches = steps.iter().filter(|step| step.starts_with("SEARCH outcome_counts USING INDEX")).count();
    assert_eq!(searches, 2, "{steps:#?}");
    assert!(
        steps.iter().all(|step| !step.contains("entries") && !step.starts_with("SCAN outcome_counts")),
        "{steps:#?}"
    );
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
    let error = Store::open(&DatabaseUrl(file.join("brain.db"))).await.err().expect("a file is not a folder");
    let message = error.to_string();
    assert!(message.contains("file/brain.db") && message.contains("BRAIN_DATABASE_URL"), "{message}");
}
