//! The only writer. Entries that wait together are committed together, so that a disk that syncs a few hundred times a
//! second stores thousands of entries a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::AnyPool;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};
use uuid::Uuid;

use super::{
    StoreError,
    apply::apply,
    clock::Newest,
    now_ms,
    open::{self, File},
    outcomes, review,
};
use crate::{
    entry::Entry,
    metrics::{FAILED, Metrics, REFUSED, WRITTEN},
};

/// Most entries that wait; a further caller waits until there is room.
const QUEUE: usize = 1024;
/// Most entries in one commit.
const BATCH: usize = 256;
/// How often what was kept long enough is deleted.
const DELETE_EVERY: Duration = Duration::from_secs(30);

struct Reset {
    skill: String,
    model: Option<String>,
    at_ms: i64,
    done: oneshot::Sender<Result<u64, StoreError>>,
}

struct Pending {
    entry: Entry,
    at_ms: i64,
    written: oneshot::Sender<Result<String, StoreError>>,
}

enum Message {
    Append(Box<Pending>),
    Reset(Reset),
    Close(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    changes: watch::Receiver<()>,
}

impl Writer {
    /// `newest_ms` is the time of the newest entry.
    pub(super) fn start(pool: AnyPool, file: Option<File>, metrics: Arc<Metrics>, newest_ms: i64, now_ms: i64) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut newest = Newest::new(newest_ms);
        newest.check(now_ms);
        let (changed, changes) = watch::channel(());
        tokio::spawn(run(Database { pool, file, metrics }, newest, receiver, changed));
        Self { queue: sender, changes }
    }

    /// Changes after each commit.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    pub(super) async fn append(&self, entry: Entry, at_ms: i64) -> Result<String, StoreError> {
        let (written, answer) = oneshot::channel();
        let pending = Message::Append(Box::new(Pending { entry, at_ms, written }));
        self.queue.send(pending).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Begins a skill's evidence anew; returns how many verdicts no longer count.
    pub(super) async fn reset(&self, skill: String, model: Option<String>, at_ms: i64) -> Result<u64, StoreError> {
        let (done, answer) = oneshot::channel();
        let reset = Message::Reset(Reset { skill, model, at_ms, done });
        self.queue.send(reset).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Message::Close(closed)).await.is_ok() {
            // The writer has ended either way when this returns.
            let _ = done.await;
        }
    }
}

/// What the writer writes to.
struct Database {
    pool: AnyPool,
    /// The file, if it is one.
    file: Option<File>,
    metrics: Arc<Metrics>,
}

async fn run(database: Database, mut newest: Newest, mut queue: mpsc::Receiver<Message>, changed: watch::Sender<()>) {
    let mut messages = Vec::with_capacity(BATCH);
    let mut due = tokio::time::interval(DELETE_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            received = queue.recv_many(&mut messages, BATCH) => if received == 0 { return },
            _ = due.tick() => {
                delete_due(&database.pool).await;
                continue;
            }
        }
        let mut batch = vec![];
        let mut closing = None;
        for message in messages.drain(..) {
            match message {
                Message::Append(pending) => {
                    newest.check(pending.at_ms);
                    batch.push(*pending);
                }
                Message::Reset(reset) => {
                    // In order: what was reported before it is written before it.
                    commit(&database, std::mem::take(&mut batch)).await;
                    begin_anew(&database.pool, reset).await;
                }
                Message::Close(closed) => closing = Some(closed),
            }
        }
        commit(&database, batch).await;
        changed.send_replace(());
        if let Some(closed) = closing {
            database.pool.close().await;
            // The caller may be gone; the writer ends anyway.
            let _ = closed.send(());
            return;
        }
    }
}

/// An answer that is due is shown no more, so a failure here delays only the end of its row.
async fn delete_due(pool: &AnyPool) {
    match review::delete_due(pool, now_ms()).await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "answers that were kept for review are deleted"),
        Err(error) => tracing::warn!(%error, "answers whose time is over could not be deleted; trying again"),
    }
}

async fn begin_anew(pool: &AnyPool, Reset { skill, model, at_ms, done }: Reset) {
    let reset = async {
        let mut transaction = open::begin(pool).await?;
        let ended = outcomes::reset(&mut transaction, &skill, model.as_deref(), at_ms).await?;
        transaction.commit().await?;
        Ok(ended)
    };
    // It is done, even if its caller is gone.
    let _ = done.send(reset.await);
}

async fn commit(Database { pool, file, metrics }: &Database, batch: Vec<Pending>) {
    if batch.is_empty() {
        return;
    }
    let (entries, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| ((p.entry, p.at_ms), p.written)).unzip();
    let began = Instant::now();
    let mut result = write(pool, &entries).await;
    // Checked after the commit: before it, the file could still be replaced.
    if let Some(file) = file.as_ref().filter(|file| result.is_ok() && !file.is_in_place()) {
        result = Err(StoreError::Replaced { path: file.path().into() });
    }
    metrics.batch(if result.is_ok() { WRITTEN } else { FAILED }, began.elapsed());
    let mut answers = match result {
        Ok(answers) => answers,
        Err(error) => {
            tracing::error!(entries = entries.len(), %error, "entries could not be written");
            (0..entries.len()).map(|_| Err(error.of_an_entry())).collect()
        }
    };
    for (waiting, answer) in waiting.into_iter().zip(answers.drain(..)) {
        metrics.entry(match &answer {
            Ok(_) => WRITTEN,
            Err(StoreError::Refused { .. }) => REFUSED,
            Err(_) => FAILED,
        });
        // The entry stays, even if its caller is gone.
        let _ = waiting.send(answer);
    }
}

type Answer = Result<String, StoreError>;

/// Writes entries in one transaction; those that are refused are left out.
async fn write(pool: &AnyPool, entries: &[(Entry, i64)]) -> Result<Vec<Answer>, StoreError> {
    let mut transaction = open::begin(pool).await?;
    let mut answers = Vec::with_capacity(entries.len());
    for (entry, at_ms) in entries {
        let id = Uuid::now_v7().to_string();
        answers.push(match apply(&mut transaction, &id, entry, *at_ms).await {
            Ok(()) => Ok(id),
            Err(refused @ StoreError::Refused { .. }) => Err(refused),
            Err(error) => return Err(error),
        });
    }
    transaction.commit().await?;
    Ok(answers)
}
