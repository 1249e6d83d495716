//! The only writer. Entries that wait together are committed together, so that a disk that syncs a few hundred times a
//! second stores thousands of entries a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

use super::{
    StoreError, batch,
    clock::Newest,
    now_ms,
    open::{File, Writing},
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

/// A batch that the database did not take.
#[derive(Clone, Copy)]
pub(super) struct Failed {
    pub(super) at: Instant,
    /// What to do about it.
    pub(super) cure: &'static str,
}

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

/// An entry on its way to a commit.
struct Queued(oneshot::Receiver<Result<String, StoreError>>);

impl Queued {
    async fn answer(self) -> Result<String, StoreError> {
        self.0.await.map_err(|_| StoreError::Closed)?
    }
}

enum Message {
    Append(Box<Pending>),
    Reset(Reset),
    Close {
        /// Whether nothing is known against the file.
        is_sound: bool,
        closed: oneshot::Sender<()>,
    },
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    changes: watch::Receiver<()>,
    failed: watch::Receiver<Option<Failed>>,
}

impl Writer {
    /// `newest_ms` is the time of the newest entry.
    pub(super) fn start(
        writing: Writing,
        file: Option<File>,
        metrics: Arc<Metrics>,
        newest_ms: i64,
        now_ms: i64,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut newest = Newest::new(newest_ms);
        newest.check(now_ms);
        let (changed, changes) = watch::channel(());
        let (failing, failed) = watch::channel(None);
        let target = Target { writing, file, failing, metrics };
        tokio::spawn(run(target, newest, receiver, changed));
        Self { queue: sender, changes, failed }
    }

    /// The failure of the latest batch; none: it was written.
    pub(super) fn failed(&self) -> Option<Failed> {
        *self.failed.borrow()
    }

    /// Changes after each commit.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.clone()
    }

    pub(super) async fn append(&self, entry: Entry, at_ms: i64) -> Result<String, StoreError> {
        self.queue(entry, at_ms).await?.answer().await
    }

    /// Appends entries in their order; none waits for the commit of another.
    pub(super) async fn append_all(&self, entries: Vec<Entry>, at_ms: i64) -> Vec<Result<String, StoreError>> {
        let mut queued = Vec::with_capacity(entries.len());
        for entry in entries {
            queued.push(self.queue(entry, at_ms).await);
        }
        let mut answers = Vec::with_capacity(queued.len());
        for queued in queued {
            answers.push(match queued {
                Ok(queued) => queued.answer().await,
                Err(error) => Err(error),
            });
        }
        answers
    }

    async fn queue(&self, entry: Entry, at_ms: i64) -> Result<Queued, StoreError> {
        let (written, answer) = oneshot::channel();
        let pending = Message::Append(Box::new(Pending { entry, at_ms, written }));
        self.queue.send(pending).await.map_err(|_| StoreError::Closed)?;
        Ok(Queued(answer))
    }

    /// Begins a skill's evidence anew; returns how many verdicts no longer count.
    pub(super) async fn reset(&self, skill: String, model: Option<String>, at_ms: i64) -> Result<u64, StoreError> {
        let (done, answer) = oneshot::channel();
        let reset = Message::Reset(Reset { skill, model, at_ms, done });
        self.queue.send(reset).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// `is_sound`: nothing is known against the file, so the next start need not check it.
    pub(super) async fn close(&self, is_sound: bool) {
        let (closed, done) = oneshot::channel();
        if self.queue.send(Message::Close { is_sound, closed }).await.is_ok() {
            // The writer has ended either way when this returns.
            let _ = done.await;
        }
    }
}

/// Where batches go, and what became of the latest.
struct Target {
    writing: Writing,
    /// The file, if it is one.
    file: Option<File>,
    failing: watch::Sender<Option<Failed>>,
    metrics: Arc<Metrics>,
}

impl Target {
    async fn close(&mut self, is_sound: bool) {
        if is_sound && self.file.as_ref().is_some_and(File::is_in_place) {
            // A file that does not take it is checked at the next start.
            let _ = self.writing.mark_closed().await;
        }
        self.writing.close().await;
    }
}

async fn run(mut target: Target, mut newest: Newest, mut queue: mpsc::Receiver<Message>, changed: watch::Sender<()>) {
    let mut messages = Vec::with_capacity(BATCH);
    let mut due = tokio::time::interval(DELETE_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            received = queue.recv_many(&mut messages, BATCH) => if received == 0 { return },
            _ = due.tick() => {
                delete_due(&mut target.writing).await;
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
                    commit(&mut target, std::mem::take(&mut batch)).await;
                    begin_anew(&mut target.writing, reset).await;
                }
                Message::Close { is_sound, closed } => closing = Some((is_sound, closed)),
            }
        }
        commit(&mut target, batch).await;
        changed.send_replace(());
        if let Some((is_sound, closed)) = closing {
            target.close(is_sound).await;
            // The caller may be gone; the writer ends anyway.
            let _ = closed.send(());
            return;
        }
    }
}

/// An answer that is due is shown no more, so a failure here delays only the end of its row.
async fn delete_due(writing: &mut Writing) {
    let deleted = async {
        let mut connection = writing.connection().await?;
        let deleted = writing.within(review::delete_due(&mut connection, now_ms())).await?;
        writing.keep(connection);
        Ok::<_, sqlx::Error>(deleted)
    };
    match deleted.await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "answers that were kept for review are deleted"),
        Err(error) => tracing::warn!(%error, "answers whose time is over could not be deleted; trying again"),
    }
}

/// Doing it twice is as doing it once, so whoever is told that it failed may repeat it, whatever became of the commit.
async fn begin_anew(writing: &mut Writing, Reset { skill, model, at_ms, done }: Reset) {
    let reset = async {
        let mut connection = writing.connection().await?;
        let mut transaction = writing.begin(&mut connection).await?;
        let ended = writing.within(outcomes::reset(&mut transaction, &skill, model.as_deref(), at_ms)).await?;
        writing.within(transaction.commit()).await?;
        writing.keep(connection);
        Ok(ended)
    };
    // It is done, even if its caller is gone.
    let _ = done.send(reset.await);
}

async fn commit(Target { writing, file, failing, metrics }: &mut Target, batch: Vec<Pending>) {
    if batch.is_empty() {
        return;
    }
    let (entries, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| ((p.entry, p.at_ms), p.written)).unzip();
    let began = Instant::now();
    let (answers, cure) = batch::commit(writing, file.as_ref(), &entries).await;
    metrics.batch(if cure.is_none() { WRITTEN } else { FAILED }, began.elapsed());
    failing.send_replace(cure.map(|cure| Failed { at: Instant::now(), cure }));
    for (waiting, answer) in waiting.into_iter().zip(answers) {
        metrics.entry(match &answer {
            Ok(_) => WRITTEN,
            Err(StoreError::Refused { .. }) => REFUSED,
            Err(_) => FAILED,
        });
        // The entry stays, even if its caller is gone.
        let _ = waiting.send(answer);
    }
}
