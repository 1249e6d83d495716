//! The entries on disk, in SQLite.

mod writer;

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use self::writer::Writer;
use crate::{entry::Entry, settings::DatabaseUrl};

/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most entries of one session that are returned: the latest.
pub const SESSION_ENTRIES_MAX: i64 = 500;
/// Widths of the counts, in milliseconds.
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Sums the counts of the full hours of a window, and of the minutes before the first full hour. $1 skill, $2 width of
/// an hour, $3 first full hour, $4 width of a minute, $5 start of the window.
const PASS_RATE: &str = "SELECT CAST(COALESCE(SUM(pass), 0) AS BIGINT), CAST(COALESCE(SUM(fail), 0) AS BIGINT), \
            CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM ( \
       SELECT pass, fail, total FROM outcome_counts WHERE skill = $1 AND width_ms = $2 AND start_ms >= $3 \
       UNION ALL \
       SELECT pass, fail, total FROM outcome_counts \
       WHERE skill = $1 AND width_ms = $4 AND start_ms >= $5 AND start_ms < $3 \
     ) AS counts";

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {}; make its folder writable, or set BRAIN_DATABASE_URL to another file", path.display())]
    Open {
        /// The database's file.
        path: PathBuf,
        /// Why it cannot be opened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The batch that held the entry could not be committed.
    #[error("the entry could not be written: {0}")]
    NotWritten(String),
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

/// An entry as it is read back.
#[derive(Debug, Serialize)]
pub struct StoredEntry {
    /// Id of the entry, a UUID v7: ids sort by time.
    pub id: String,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// The caller's session, or empty.
    pub session_id: String,
    /// The skill that the entry is about.
    pub skill: String,
    /// For example `outcome` or `decide`.
    pub phase: String,
    /// `pass`, `fail` or `skip`.
    pub final_status: String,
    /// One line for a reader, or empty.
    pub message: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The project that it was about, or empty.
    pub project_root: String,
    /// The decision that the entry judges or records.
    pub decision_id: Option<String>,
    /// A decision record.
    pub decision: Option<Value>,
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
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open { path: path.clone(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| failed(e.into()))?;
        }
        create_private(path).map_err(|e| failed(e.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An entry is acknowledged when its commit is on disk: FULL syncs the log at every commit.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let single = SqlitePoolOptions::new().max_connections(1);
        let writing = single.connect_with(options.clone()).await.map_err(|e| failed(e.into()))?;
        sqlx::migrate!().run(&writing).await.map_err(|e| failed(e.into()))?;
        let readers = SqlitePoolOptions::new().max_connections(READERS);
        let readers = readers.connect_with(options).await.map_err(|e| failed(e.into()))?;
        Ok(Self { readers, writer: Writer::start(writing) })
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
            .fetch_one(&self.readers)
            .await?;
        let (pass, fail, total) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(PassRate { pass_rate: ratio(pass, fail), pass, fail, total })
    }

    /// The latest `limit` entries of a session, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session(&self, session_id: &str, limit: i64) -> Result<Vec<StoredEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, decision \
             FROM entries WHERE session_id = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(session_id)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let entries: Result<Vec<StoredEntry>, sqlx::Error> = rows.iter().rev().map(stored_entry).collect();
        Ok(entries?)
    }

    /// Writes the queued entries and closes the database.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// Creates the file with access for its owner only, because messages may be private. SQLite gives the files that it
/// adds the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let private = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    match private {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
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

fn stored_entry(row: &SqliteRow) -> Result<StoredEntry, sqlx::Error> {
    let decision: Option<String> = row.try_get("decision")?;
    Ok(StoredEntry {
        id: row.try_get("id")?,
        at: row.try_get("at_ms")?,
        session_id: row.try_get("session_id")?,
        skill: row.try_get("skill")?,
        phase: row.try_get("phase")?,
        final_status: row.try_get("final_status")?,
        message: row.try_get("message")?,
        duration_ms: row.try_get("duration_ms")?,
        project_root: row.try_get("project_root")?,
        decision_id: row.try_get("decision_id")?,
        decision: decision.and_then(|json| serde_json::from_str(&json).ok()),
    })
}

#[cfg(test)]
mod tests;
