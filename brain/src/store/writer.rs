//! The only writer. Entries that wait together are committed together, so that a disk that syncs a few hundred times a
//! second stores thousands of entries a second.

use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{HOUR_MS, MINUTE_MS, StoreError, clock::Newest, floor_to, open::File, session};
use crate::entry::{Entry, FinalStatus};

/// Most entries that wait; a further caller waits until there is room.
const QUEUE: usize = 1024;
/// Most entries in one commit.
const BATCH: usize = 256;

struct Pending {
    entry: Entry,
    at_ms: i64,
    written: oneshot::Sender<Result<String, StoreError>>,
}

enum Message {
    Append(Box<Pending>),
    Close(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Message>);

impl Writer {
    /// `newest_ms` is the time of the newest entry.
    pub(super) fn start(pool: SqlitePool, file: File, newest_ms: i64, now_ms: i64) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut newest = Newest::new(newest_ms);
        newest.check(now_ms);
        tokio::spawn(run(pool, file, newest, receiver));
        Self(sender)
    }

    pub(super) async fn append(&self, entry: Entry, at_ms: i64) -> Result<String, StoreError> {
        let (written, answer) = oneshot::channel();
        let pending = Message::Append(Box::new(Pending { entry, at_ms, written }));
        self.0.send(pending).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.0.send(Message::Close(closed)).await.is_ok() {
            // The writer has ended either way when this returns.
            let _ = done.await;
        }
    }
}

async fn run(pool: SqlitePool, file: File, mut newest: Newest, mut queue: mpsc::Receiver<Message>) {
    let mut messages = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut messages, BATCH).await > 0 {
        let mut batch = vec![];
        let mut closing = None;
        for message in messages.drain(..) {
            match message {
                Message::Append(pending) => {
                    newest.check(pending.at_ms);
                    batch.push(*pending);
                }
                Message::Close(closed) => closing = Some(closed),
            }
        }
        commit(&pool, &file, batch).await;
        if let Some(closed) = closing {
            pool.close().await;
            // The caller may be gone; the writer ends anyway.
            let _ = closed.send(());
            return;
        }
    }
}

async fn commit(pool: &SqlitePool, file: &File, batch: Vec<Pending>) {
    if batch.is_empty() {
        return;
    }
    let (entries, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| ((p.entry, p.at_ms), p.written)).unzip();
    let mut result = write(pool, &entries).await.map_err(|error| StoreError::NotWritten(error.to_string()));
    // Checked after the commit: before it, the file could still be replaced.
    if result.is_ok() && !file.is_in_place() {
        result = Err(StoreError::Replaced { path: file.path().into() });
    }
    if let Err(error) = &result {
        tracing::error!(entries = entries.len(), %error, "entries could not be written");
    }
    for (i, waiting) in waiting.into_iter().enumerate() {
        let answer = match &result {
            Ok(ids) => Ok(ids[i].clone()),
            Err(StoreError::Replaced { path }) => Err(StoreError::Replaced { path: path.clone() }),
            Err(StoreError::NotWritten(reason)) => Err(StoreError::NotWritten(reason.clone())),
            Err(error) => Err(StoreError::NotWritten(error.to_string())),
        };
        // The entry stays, even if its caller is gone.
        let _ = waiting.send(answer);
    }
}

async fn write(pool: &SqlitePool, entries: &[(Entry, i64)]) -> Result<Vec<String>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let mut ids = Vec::with_capacity(entries.len());
    for (entry, at_ms) in entries {
        let id = Uuid::now_v7().to_string();
        insert(&mut transaction, &id, entry, *at_ms).await?;
        for width in [MINUTE_MS, HOUR_MS] {
            count(&mut transaction, entry, width, floor_to(*at_ms, width)).await?;
        }
        ids.push(id);
    }
    transaction.commit().await?;
    Ok(ids)
}

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &str,
    entry: &Entry,
    at_ms: i64,
) -> Result<(), sqlx::Error> {
    let Entry { session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, decision } =
        entry;
    let caller_session = decision.as_ref().and_then(session::of_caller);
    let record = decision.as_ref().and_then(|decision| serde_json::to_string(decision).ok());
    sqlx::query(
        "INSERT INTO entries (id, at_ms, session_id, skill, phase, final_status, message, duration_ms, project_root, decision_id, decision, caller_session) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id)
    .bind(at_ms)
    .bind(session::stored_id(session_id))
    .bind(skill)
    .bind(phase)
    .bind(final_status.as_str())
    .bind(message)
    .bind(duration_ms)
    .bind(project_root)
    .bind(decision_id)
    .bind(record)
    .bind(caller_session)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

async fn count(
    transaction: &mut Transaction<'_, Sqlite>,
    entry: &Entry,
    width: i64,
    start: i64,
) -> Result<(), sqlx::Error> {
    let is = |status| i64::from(entry.final_status == status);
    sqlx::query(
        "INSERT INTO outcome_counts (skill, width_ms, start_ms, pass, fail, total) VALUES ($1, $2, $3, $4, $5, 1) \
         ON CONFLICT (skill, width_ms, start_ms) DO UPDATE SET \
           pass = outcome_counts.pass + excluded.pass, \
           fail = outcome_counts.fail + excluded.fail, \
           total = outcome_counts.total + excluded.total",
    )
    .bind(&entry.skill)
    .bind(width)
    .bind(start)
    .bind(is(FinalStatus::Pass))
    .bind(is(FinalStatus::Fail))
    .execute(&mut **transaction)
    .await
    .map(drop)
}
