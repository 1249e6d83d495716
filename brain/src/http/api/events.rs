//! `GET events`: server-sent events, one small tick whenever something was written, also by another brain on the same
//! database. A tick says only that; what changed is asked for.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::ApiError;
use crate::store::Store;

/// Most clients that follow at the same time.
const LISTENERS_MAX: usize = 64;
/// How often the database is asked for what other brains wrote: one look into an index.
const POLL: Duration = Duration::from_secs(2);
/// Shortest time between two ticks: a busy brain does not make its readers busy.
const BETWEEN: Duration = Duration::from_millis(200);
/// How often a silent stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What streams are made of.
#[derive(Clone)]
pub(super) struct Events {
    store: Store,
    listeners: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Events {
    pub(super) fn new(store: Store, stopping: CancellationToken) -> Self {
        Self { store, listeners: Arc::new(Semaphore::new(LISTENERS_MAX)), stopping }
    }
}

/// One client that follows.
struct Listener {
    store: Store,
    changes: watch::Receiver<()>,
    newest: Option<String>,
    stopping: CancellationToken,
    begun: bool,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Counts a client in the gauge as long as this lives.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

pub(super) async fn events(
    State(Events { store, listeners, stopping }): State<Events>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = listeners.try_acquire_owned().map_err(|_| ApiError::Busy)?;
    let (changes, newest) = (store.changes(), store.newest_entry().await?);
    let counted = Counted::new(store.metrics().event_streams());
    let listener = Listener { store, changes, newest, stopping, begun: false, _place: place, _counted: counted };
    let stream = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Listener {
    /// The next event; none: the brain stops.
    async fn next(&mut self) -> Option<Event> {
        // At once, so that a client knows that it follows.
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Event::default().event("hello").data("{}"));
        }
        let stopping = self.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => None,
            changed = self.changed() => changed.then(|| Event::default().event("change").data("{}")),
        }
    }

    /// Waits for a change; false: the store was closed.
    async fn changed(&mut self) -> bool {
        tokio::time::sleep(BETWEEN).await;
        loop {
            tokio::select! {
                changed = self.changes.changed() => {
                    if changed.is_ok() {
                        self.newest = self.store.newest_entry().await.unwrap_or_default();
                    }
                    return changed.is_ok();
                }
                () = tokio::time::sleep(POLL) => {
                    // A failure is no change; the readers notice it when they ask.
                    let newest = self.store.newest_entry().await.unwrap_or_else(|_| self.newest.clone());
                    if newest != self.newest {
                        self.newest = newest;
                        return true;
                    }
                }
            }
        }
    }
}
