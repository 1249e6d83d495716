//! The brain's metrics. Labels come from enums and from the routes, never from a request: no skill, no caller, no path.

use std::{sync::atomic::AtomicU64, time::Duration};

use axum::response::Response;
use endpoint::metrics::Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::store::{Figures, StoreError};

/// Upper bounds of the histograms, in seconds: from a read by an index to a disk that hardly answers.
const SECONDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The result of what was stored.
pub(crate) const WRITTEN: &str = "written";
/// The result of what the database did not take.
pub(crate) const FAILED: &str = "failed";
/// The result of an entry with an argument that cannot be read.
pub(crate) const INVALID: &str = "invalid";
/// The result of one too many from an address.
pub(crate) const LIMITED: &str = "limited";
/// The result of an entry that says what cannot be.
pub(crate) const REFUSED: &str = "refused";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;

/// Every metric of the brain.
pub struct Metrics {
    registry: Registry,
    entries: Family<ResultLabel, Counter>,
    batch_seconds: Seconds<ResultLabel>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Seconds<RouteLabel>,
    event_streams: Gauge,
    database_up: Gauge,
    database_bytes: Gauge,
    database_entries: Gauge,
    database_damaged: Gauge,
    reviews: Gauge,
    last_entry: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with(|_| ()).0
    }
}

impl Metrics {
    /// The metrics, and what `more` registers beside them.
    pub fn with<T>(more: impl FnOnce(&mut Registered<'_>) -> T) -> (Self, T) {
        let mut registry = Registry::with_prefix("routing_brain");
        registry.register("build", "Version of this program", Info::new([("version", crds::VERSION)]));
        let mut new = Registered(&mut registry);
        let more = more(&mut new);
        let metrics = Self {
            entries: new.metric(
                "entries",
                "Entries by result: written; invalid, limited, refused (by what they say); failed (by the database)",
            ),
            batch_seconds: new.with(
                "batch_seconds",
                "Duration of commits, each of up to 256 entries, by result: written, failed",
                seconds(),
            ),
            requests: new.metric("requests", "Requests by route and status of the answer"),
            request_seconds: new.with("request_seconds", "Time until an answer begins, by route", seconds()),
            event_streams: new.metric("event_streams", "Clients that follow the events"),
            database_up: new.metric("database_up", "Whether the database answered this scrape, or the one before"),
            database_bytes: new.metric("database_bytes", "Size of the database, without SQLite's log of late writes"),
            database_entries: new.metric("database_entries", "Entries in the database; in Postgres, its own estimate"),
            database_damaged: new.metric(
                "database_damaged",
                "Whether SQLite found damage in the file, which is checked after a brain did not close it",
            ),
            reviews: new.metric("reviews", "Answers that are kept for review"),
            last_entry: new.metric(
                "last_entry_timestamp_seconds",
                "When the newest entry was written, by whichever brain; 0: there is none",
            ),
            registry,
        };
        // There from the start: the first failure is then an increase, which an alert sees.
        for result in [WRITTEN, FAILED, INVALID, LIMITED, REFUSED] {
            drop(metrics.entries.get_or_create(&ResultLabel { result }));
        }
        (metrics, more)
    }

    /// The answer of `/metrics`.
    pub fn answer(&self) -> Response {
        endpoint::metrics::answer(&self.registry)
    }

    /// An entry was written, or was not, for this reason.
    pub(crate) fn entry(&self, result: &'static str) {
        self.entries.get_or_create(&ResultLabel { result }).inc();
    }

    /// A batch of entries was committed, or was not.
    pub(crate) fn batch(&self, result: &'static str, took: Duration) {
        self.batch_seconds.get_or_create(&ResultLabel { result }).observe(took.as_secs_f64());
    }

    /// A request to a route of this program has its answer.
    pub(crate) fn request(&self, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route: route.into(), status }).inc();
        self.request_seconds.get_or_create(&RouteLabel { route: route.into() }).observe(took.as_secs_f64());
    }

    /// The gauge of clients that follow the events.
    pub(crate) fn event_streams(&self) -> &Gauge {
        &self.event_streams
    }

    /// What a check of the file found.
    pub(crate) fn database_damaged(&self, is_damaged: bool) {
        self.database_damaged.set(is_damaged.into());
    }

    /// What the database says of itself. When it does not answer, its last figures stay.
    pub(crate) fn database(&self, said: &Result<Figures, StoreError>) {
        self.database_up.set(said.is_ok().into());
        if let Ok(Figures { bytes, entries, reviews, newest }) = said {
            self.database_bytes.set(*bytes);
            self.database_entries.set(*entries);
            self.reviews.set(*reviews);
            self.last_entry.set(newest.unwrap_or_default().as_secs_f64());
        }
    }
}

fn seconds<L: Clone + std::hash::Hash + Eq>() -> Seconds<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}
