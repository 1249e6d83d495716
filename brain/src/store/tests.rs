use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row;

use super::*;
use crate::{entry::FinalStatus, verdict::Sources};

mod calls;
mod migration;
mod network;
mod postgres;
mod recent;
mod recount;
mod report;
mod sqlite;
mod verdicts;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY: Duration = Duration::from_secs(86_400);

/// A database of a test: SQLite, or in a run of `postgres` a new one on its server.
pub(super) struct Home {
    pub(super) url: DatabaseUrl,
    folder: tempfile::TempDir,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match postgres::server() {
            Some(server) => postgres::database(&server).await,
            None => DatabaseUrl::sqlite(folder.path().join("deep/brain.db")),
        };
        Self { url, folder }
    }

    fn path(&self) -> &std::path::Path {
        self.folder.path()
    }
}

pub(super) async fn store() -> (Store, Home) {
    let home = Home::new().await;
    (Store::open(&home.url).await.expect("opens"), home)
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
    let store = Store::open(&folder.url).await.expect("opens again");
    assert_eq!(store.evidence(&over("debug", DAY)).await.expect("evidence").total, 500);
    let read: Vec<String> =
        store.session("s", SESSION_ENTRIES_MAX).await.expect("entries").into_iter().map(|e| e.id).collect();
    assert_eq!(read.len(), ids.len());
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
