//! How large the database is, for metrics: each figure is read without going through the entries.

use std::time::Duration;

use sqlx::AnyPool;
use uuid::Uuid;

use super::{recent, review};

/// Entries are never deleted, so the last number that SQLite gave one is how many there are.
const SQLITE: &str = "SELECT (SELECT COALESCE(MAX(rowid), 0) FROM entries), \
     (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size())";
/// The server's estimate comes late and is -1 at first, so a small number is counted.
const POSTGRES: &str = "SELECT GREATEST((SELECT reltuples::BIGINT FROM pg_class WHERE oid = 'entries'::regclass), \
     (SELECT COUNT(*) FROM (SELECT 1 FROM entries LIMIT 50000) AS few)), \
     pg_database_size(current_database())";

/// How large the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Its size in bytes.
    pub bytes: i64,
    /// Entries; in Postgres an estimate.
    pub entries: i64,
    /// Answers that are kept for review.
    pub reviews: i64,
    /// When the newest entry was written, since 1970; none: there is none.
    pub newest: Option<Duration>,
}

pub(super) async fn read(readers: &AnyPool, is_server: bool, now_ms: i64) -> Result<Figures, sqlx::Error> {
    let sql = if is_server { POSTGRES } else { SQLITE };
    let (entries, bytes) = sqlx::query_as(sql).fetch_one(readers).await?;
    let newest = recent::newest_entry(readers).await?.as_deref().and_then(written);
    Ok(Figures { bytes, entries, reviews: review::kept(readers, now_ms).await?.number, newest })
}

/// When the entry with this id was written: ids begin with the time.
fn written(id: &str) -> Option<Duration> {
    let (seconds, nanoseconds) = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use crate::{
        entry::Entry,
        store::{now_ms, tests::store},
    };

    #[tokio::test]
    async fn the_database_tells_its_size_its_entries_and_when_the_newest_was_written() {
        let (store, _home) = store().await;
        let empty = store.figures().await.expect("figures");
        assert_eq!((empty.entries, empty.reviews, empty.newest), (0, 0, None));
        assert!(empty.bytes > 0, "{empty:?}");
        let before = now_ms();
        for _ in 0..3 {
            let arguments = serde_json::json!({"skill": "debug", "final_status": "pass"});
            let entry = Entry::from_arguments(arguments.as_object().cloned().unwrap_or_default()).expect("an entry");
            store.append(entry).await.expect("written");
        }
        if store.server.is_some() {
            sqlx::query("ANALYZE entries").execute(&store.readers).await.expect("counted");
        }
        let full = store.figures().await.expect("figures");
        let newest = i64::try_from(full.newest.expect("a time").as_millis()).expect("fits");
        assert!((before..=now_ms()).contains(&newest), "{newest}");
        assert_eq!(full.entries, 3);
    }
}
