//! The entries on disk, in SQLite.

mod clock;
mod open;
mod session;
mod writer;

use std::{path::PathBuf, time::Duration};

use serde::Serialize;
use sqlx::{Row, SqlitePool};

pub use self::session::{ENTRIES_MAX as SESSION_ENTRIES_MAX, StoredEntry};
use self::{clock::TOLERANCE_MS, open::Database, writer::Writer};
use crate::{entry::Entry, settings::DatabaseUrl};

/// Widths of the counts, in milliseconds.
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Sums the counts of the full hours of a window, and of the minutes before the first full hour. $1 skill, $2 width of
/// an hour, $3 first full hour, $4 width of a minute, $5 start of the window, $6 its end: what starts later is in the
/// future.
const PASS_RATE: &str = "SELECT CAST(COALESCE(SUM(pass), 0) AS BIGINT), CAST(COALESCE(SUM(fail), 0) AS BIGINT), \
            CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM ( \
       SELECT pass, fail, total FROM outcome_counts WHERE skill = $1 AND width_ms = $2 AND start_ms >= $3 AND start_ms <= $6 \
       UNION ALL \
       SELECT pass, fail, total FROM outcome_counts \
       WHERE skill = $1 AND width_ms = $4 AND start_ms >= $5 AND start_ms < $3 AND start_ms <= $6 \
     ) AS counts";

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {}; {cure}", path.display())]
    Open {
        /// The database's file.
        path: PathBuf,
        /// What to do about it.
        cure: &'static str,
        /// Why it cannot be opened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The batch that held the entry could not be committed.
    #[error("the entry could not be written: {0}")]
    NotWritten(String),
    /// The file that is open is no longer at its path, so what is written is lost.
    #[error(
        "the database {} was deleted or replaced while the brain runs; put it back, then restart the brain",
        path.display()
    )]
    Replaced {
        /// The database's file.
        path: PathBuf,
    },
    /// The store has been closed.
    #[error("the store is shutting down")]
    Closed,
}

/// How often a skill's answers were right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PassRate {
    /// pass / (pass + fail), from 0 to 1; none if both are 0.
    pub pass_rate: Option<f64>,
    /// Number of entries with `pass`.
    pub pass: i64,
    /// Number of entries with `fail`.
    pub fail: i64,
    /// Number of all entries of the skill, `skip` included.
    pub total: i64,
}

/// The entries on disk. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: SqlitePool,
    writer: Writer,
}

impl Store {
    /// Opens the database, creating the file and its folder, and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the path and the reason.
    pub async fn open(DatabaseUrl(path): &DatabaseUrl) -> Result<Self, StoreError> {
        let Database { readers, writing, file } = open::open(path).await?;
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT MAX(start_ms) FROM outcome_counts").fetch_one(&readers).await?;
        Ok(Self { readers, writer: Writer::start(writing, file, newest.unwrap_or_default(), now_ms()) })
    }

    /// Writes an entry and returns its id once it is on disk.
    ///
    /// # Errors
    /// The entry was not written.
    pub async fn append(&self, entry: Entry) -> Result<String, StoreError> {
        self.writer.append(entry, now_ms()).await
    }

    /// The pass rate of a skill over a window that ends now and starts at a full minute.
    ///
    /// # Errors
    /// The database failed.
    pub async fn pass_rate(&self, skill: &str, window: Duration) -> Result<PassRate, StoreError> {
        self.pass_rate_at(skill, window, now_ms()).await
    }

    async fn pass_rate_at(&self, skill: &str, window: Duration, now_ms: i64) -> Result<PassRate, StoreError> {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let from = floor_to(now_ms.saturating_sub(window_ms).max(0), MINUTE_MS);
        let first_full_hour = floor_to(from + HOUR_MS - 1, HOUR_MS);
        let row = sqlx::query(PASS_RATE)
            .bind(skill)
            .bind(HOUR_MS)
            .bind(first_full_hour)
            .bind(MINUTE_MS)
            .bind(from)
            .bind(now_ms.saturating_add(TOLERANCE_MS))
            .fetch_one(&self.readers)
            .await?;
        let (pass, fail, total) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(PassRate { pass_rate: ratio(pass, fail), pass, fail, total })
    }

    /// The latest `limit` entries of a session, oldest first: its own, the decisions made in it, and their outcomes.
    /// `_routing` has all decisions, `_none` what names no session.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session(&self, session_id: &str, limit: i64) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(session::read(&self.readers, session_id, limit).await?)
    }

    /// Writes the queued entries and closes the database.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

// Counts are far below 2^53, so the quotient is the nearest double: the same that parsing "0.90" gives.
#[allow(clippy::cast_precision_loss)]
fn ratio(pass: i64, fail: i64) -> Option<f64> {
    (pass + fail > 0).then(|| pass as f64 / (pass + fail) as f64)
}

fn floor_to(milliseconds: i64, width: i64) -> i64 {
    milliseconds - milliseconds.rem_euclid(width)
}

fn now_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
