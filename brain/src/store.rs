//! The entries on disk, in SQLite or Postgres: the same queries for both.

mod alone;
mod apply;
mod batch;
mod checking;
mod clock;
mod counts;
mod error;
mod evidence;
mod figures;
mod list;
pub(crate) mod open;
mod outcomes;
mod ready;
mod recent;
mod review;
mod session;
mod span;
mod spending;
mod tally;
mod writer;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::period::Period;
use sqlx::AnyPool;
use tokio::sync::watch;

use self::{
    checking::Checking,
    open::{Database, Failure},
    ready::Ready,
    span::Span,
    writer::Writer,
};
pub use self::{
    error::StoreError,
    evidence::{Agreement, Evidence, ModelRate, Query, Rate},
    figures::Figures,
    list::{ENTRIES_MAX as LIST_MAX, StoredDecision, StoredOutcome},
    recent::{Filter, Judged, PAGE_MAX, Page, Place},
    review::{Kept, REVIEWS_MAX, StoredReview},
    session::{ENTRIES_MAX as SESSION_ENTRIES_MAX, StoredEntry},
    spending::{Step, Sums},
};
use crate::{
    entry::Entry,
    metrics::{FAILED, Metrics},
    report::{Known, Report, Series},
    settings::DatabaseUrl,
};

/// How long the database may take to say that it is there.
const REACHED_WITHIN: Duration = Duration::from_secs(2);
/// How long a batch that was not written is held against the database while nothing else is written.
const FAILED_FOR: Duration = Duration::from_secs(10);
/// Whether entries could be written now, in Postgres: writes none, and needs what an entry needs.
const WRITABLE: &str = "SELECT set_config('lock_timeout', '1s', true); DELETE FROM entries WHERE FALSE";

/// The entries on disk. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: AnyPool,
    writer: Writer,
    ready: Ready,
    metrics: Arc<Metrics>,
    /// How long an answer of the database is waited for; none: as long as it takes.
    patience: Option<Duration>,
    /// The server of the database, as messages call it; none: it is a file of this machine.
    server: Option<Arc<str>>,
    checking: Checking,
}

impl Store {
    /// Opens the database, creating the file and its folder, and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the path and the reason.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::open_measured(url, Metrics::default()).await
    }

    /// The same with these metrics.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the path and the reason.
    pub async fn open_measured(url: &DatabaseUrl, metrics: Metrics) -> Result<Self, StoreError> {
        let Database { readers, writing, file, unchecked, ready } = open::open(url).await?;
        let newest: Option<i64> = match ready.check() {
            Ok(()) => {
                let newest = sqlx::query_scalar("SELECT MAX(start_ms) FROM counts").fetch_one(&readers).await;
                newest.map_err(|error| open::unreadable(url, error))?
            }
            Err(_) => None,
        };
        let metrics = Arc::new(metrics);
        let writer = Writer::start(writing, file, Arc::clone(&metrics), newest.unwrap_or_default(), now_ms());
        let server = url.path().is_none().then(|| url.shown().into());
        let checking = match url.path().filter(|_| unchecked) {
            Some(file) => Checking::start(file.into(), Arc::clone(&metrics)),
            None => Checking::not_due(),
        };
        Ok(Self { readers, writer, ready, metrics, patience: url.patience(), server, checking })
    }

    /// Whether the database can be used now, to write too. A file of this machine is not asked: each write says whether it
    /// can. A server that did not take the latest entries may still say that it can, as one whose disk is full does.
    ///
    /// # Errors
    /// [`StoreError::Away`] with what to do about it.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let Some(server) = &self.server else { return Ok(()) };
        let asked = sqlx::raw_sql(WRITABLE).execute(self.readers()?);
        open::within(Some(REACHED_WITHIN), asked).await.map_err(|error: sqlx::Error| {
            StoreError::Away(format!("the database {server} cannot be used; {}", Failure::of(error).cure))
        })?;
        match self.writer.failed().filter(|failed| failed.at.elapsed() < FAILED_FOR) {
            Some(failed) => {
                Err(StoreError::Away(format!("the database {server} did not take the latest entries; {}", failed.cure)))
            }
            None => Ok(()),
        }
    }

    /// What is measured of it, and of who asks it.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How large the database is, within two seconds.
    ///
    /// # Errors
    /// The database failed, or is away.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let read = figures::read(self.readers()?, self.server.is_some(), now_ms());
        Ok(tokio::time::timeout(REACHED_WITHIN, read).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// The connections that read.
    fn readers(&self) -> Result<&AnyPool, StoreError> {
        self.ready.check().map(|()| &self.readers)
    }

    /// What a query reads, if it comes in time.
    async fn read<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        Ok(open::within(self.patience, answer).await?)
    }

    /// Writes an entry and returns its id once it is on disk. The record of a decision that is there already is not written
    /// again: the id is that of its entry.
    ///
    /// # Errors
    /// The entry was not written; [`StoreError::Unknown`]: it may have been.
    pub async fn append(&self, entry: Entry) -> Result<String, StoreError> {
        self.ready.check().inspect_err(|_| self.metrics.entry(FAILED))?;
        self.writer.append(entry, now_ms()).await
    }

    /// Appends entries in their order, and returns for each its id or why it was not written.
    ///
    /// # Errors
    /// The database cannot be used yet: none was written.
    pub(crate) async fn append_all(&self, entries: Vec<Entry>) -> Result<Vec<Result<String, StoreError>>, StoreError> {
        self.ready.check().inspect_err(|_| entries.iter().for_each(|_| self.metrics.entry(FAILED)))?;
        Ok(self.writer.append_all(entries, now_ms()).await)
    }

    /// What is known about a skill's answers in a window that ends now and starts at a full minute.
    ///
    /// # Errors
    /// The database failed.
    pub async fn evidence(&self, query: &Query) -> Result<Evidence, StoreError> {
        self.evidence_at(query, now_ms()).await
    }

    /// The same, with how many of the judged answers name no decision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn coverage_evidence(&self, query: &Query) -> Result<Evidence, StoreError> {
        self.coverage_evidence_at(query, now_ms()).await
    }

    async fn coverage_evidence_at(&self, query: &Query, now_ms: i64) -> Result<Evidence, StoreError> {
        let alone = self.read(alone::count(self.readers()?, query, now_ms)).await?;
        Ok(Evidence { alone, ..self.evidence_at(query, now_ms).await? })
    }

    async fn evidence_at(&self, query: &Query, now_ms: i64) -> Result<Evidence, StoreError> {
        self.read(evidence::read(self.readers()?, query, now_ms)).await
    }

    /// Begins the evidence of a skill anew, for one model or for all. Returns how many verdicts no longer count.
    ///
    /// # Errors
    /// The database failed.
    pub async fn reset(&self, skill: &str, model: Option<&str>) -> Result<u64, StoreError> {
        self.ready.check()?;
        self.writer.reset(skill.into(), model.map(str::to_string), now_ms()).await
    }

    /// The latest verdicts on a skill's answers, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn outcomes(&self, skill: &str, limit: i64) -> Result<Vec<StoredOutcome>, StoreError> {
        self.read(list::outcomes(self.readers()?, skill, limit)).await
    }

    /// The records of a skill's latest decisions, the newest first, each with the verdicts that stand on it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn decisions(&self, skill: &str, limit: i64) -> Result<Vec<StoredDecision>, StoreError> {
        self.read(list::decisions(self.readers()?, skill, limit)).await
    }

    /// The records of the decisions that were made for a client's call, by the client's own id of it, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn decisions_of_call(&self, call: &str, limit: i64) -> Result<Vec<StoredDecision>, StoreError> {
        self.read(list::decisions_of_call(self.readers()?, call, limit)).await
    }

    /// The record of a decision, with the verdicts that stand on it; none: it is not known.
    ///
    /// # Errors
    /// The database failed.
    pub async fn decision(&self, id: &str) -> Result<Option<StoredDecision>, StoreError> {
        self.read(list::decision(self.readers()?, id)).await
    }

    /// The latest decisions of all skills that fit a filter, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn page(&self, filter: &Filter, limit: i64) -> Result<Page, StoreError> {
        self.read(recent::page(self.readers()?, filter, limit, now_ms())).await
    }

    /// The answers that are kept for review, the newest first, or that of a decision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn reviews(&self, decision: Option<&str>, limit: i64) -> Result<Vec<StoredReview>, StoreError> {
        self.read(review::list(self.readers()?, decision, limit, now_ms())).await
    }

    /// How many answers are kept, and for how long at most.
    ///
    /// # Errors
    /// The database failed.
    pub async fn kept(&self) -> Result<Kept, StoreError> {
        self.read(review::kept(self.readers()?, now_ms())).await
    }

    /// Changes after each commit of this process.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.writer.changes()
    }

    /// A mark that changes with each entry, also with those of another brain on the same database.
    ///
    /// # Errors
    /// The database failed.
    pub async fn newest_entry(&self) -> Result<Option<String>, StoreError> {
        self.read(recent::newest_entry(self.readers()?)).await
    }

    /// The names of the skills of which there is a decision or a verdict.
    ///
    /// # Errors
    /// The database failed.
    pub async fn skills(&self) -> Result<Vec<String>, StoreError> {
        self.read(list::skills(self.readers()?)).await
    }

    /// The latest `limit` entries of a session, oldest first: its own, the decisions made in it, and their outcomes.
    /// `_routing` has all decisions, `_none` what names no session.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session(&self, session_id: &str, limit: i64) -> Result<Vec<StoredEntry>, StoreError> {
        self.read(session::read(self.readers()?, session_id, limit)).await
    }

    /// What the calls of the last `window` did and cost.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report(&self, window: &Period) -> Result<Report, StoreError> {
        self.report_at(window, now_ms()).await
    }

    /// The same over time: in hours up to three days, in days from then on.
    ///
    /// # Errors
    /// The database failed.
    pub async fn series(&self, window: &Period) -> Result<Series, StoreError> {
        let [_, hour, day] = counts::WIDTHS;
        let length_ms = i64::try_from(window.duration().unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        let (step, now_ms) = (if length_ms <= 3 * day { hour } else { day }, now_ms());
        let from_ms = now_ms.saturating_sub(length_ms).max(0);
        Ok(Series::of(step, &self.read(spending::steps(self.readers()?, step, from_ms, now_ms)).await?))
    }

    async fn report_at(&self, window: &Period, now_ms: i64) -> Result<Report, StoreError> {
        let length = window.duration().unwrap_or_default();
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let since_ms = now_ms.saturating_sub(length_ms).max(0);
        let before = Span::before(since_ms, length_ms);
        let (now, before) = (
            self.read(spending::sums(self.readers()?, &Span::new(since_ms, now_ms))).await?,
            self.read(spending::sums(self.readers()?, &before)).await?,
        );
        let mut evidence = BTreeMap::new();
        for skill in self.skills().await? {
            let query = Query { window: length, ..Query::of_all(&skill) };
            let of = (self.coverage_evidence_at(&query, now_ms).await?, self.evidence_at(&query, since_ms).await?);
            evidence.insert(skill, of);
        }
        Ok(Report::of(&Known { now, before, evidence }, (since_ms, now_ms), window.text()))
    }

    /// Writes the queued entries and closes the database. A check of it that is under way ends.
    pub async fn close(&self) {
        let is_sound = self.checking.end().await;
        self.writer.close(is_sound).await;
        self.readers.close().await;
    }
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
