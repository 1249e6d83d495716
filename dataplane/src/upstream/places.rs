//! Places for the calls of one model: as many as its policy allows at the same time. Who finds none waits for one, in
//! order. They outlive reloads, so that a changed limit counts the calls that are under way.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AttemptError;

/// Calls that may wait for each place: who comes later would hardly get one in time.
const WAITING_PER_PLACE: usize = 64;

/// The places of a model.
pub(super) struct Places {
    /// First come, first served: a freed place goes to whoever has waited longest.
    free: Arc<Semaphore>,
    size: Mutex<Size>,
    taken: AtomicUsize,
    waiting: AtomicUsize,
}

/// How many there are.
struct Size {
    limit: usize,
    /// Places that are taken and too many since the limit was lowered: they end with their calls.
    surplus: usize,
}

impl Default for Places {
    fn default() -> Self {
        let limit = Semaphore::MAX_PERMITS;
        Self {
            free: Arc::new(Semaphore::new(limit)),
            size: Mutex::new(Size { limit, surplus: 0 }),
            taken: AtomicUsize::default(),
            waiting: AtomicUsize::default(),
        }
    }
}

impl Places {
    /// Changes how many there are; none: no limit. Calls under way keep theirs.
    pub(super) fn resize(&self, limit: Option<usize>) {
        let limit = limit.unwrap_or(Semaphore::MAX_PERMITS);
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if limit < size.limit {
            let too_many = size.limit - limit;
            size.surplus += too_many - self.free.forget_permits(too_many);
        } else {
            let more = limit - size.limit;
            let kept = more.min(size.surplus);
            size.surplus -= kept;
            self.free.add_permits(more - kept);
        }
        size.limit = limit;
    }

    /// A free place, if nobody waits for it.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn take_free(self: &Arc<Self>) -> Result<Place, AttemptError> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        permit.map(|permit| self.place(permit)).map_err(|_| self.busy(Duration::ZERO))
    }

    /// The next place that becomes free. Dropped before, it leaves the queue.
    ///
    /// # Errors
    /// It was not this one's turn within `wait`, or too many wait already.
    pub(super) async fn take(self: &Arc<Self>, wait: Duration) -> Result<Place, AttemptError> {
        let began = Instant::now();
        let _waiting = self.wait_in_line()?;
        let permit = tokio::time::timeout(wait, Arc::clone(&self.free).acquire_owned()).await;
        // Nobody closes the semaphore.
        let permit = permit.ok().and_then(Result::ok);
        permit.map(|permit| self.place(permit)).ok_or_else(|| self.busy(began.elapsed()))
    }

    fn wait_in_line(&self) -> Result<Waiting<'_>, AttemptError> {
        let most = self.limit().saturating_mul(WAITING_PER_PLACE);
        let admitted =
            self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1));
        admitted.map(|_| Waiting(&self.waiting)).map_err(|_| self.busy(Duration::ZERO))
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place { places: Arc::clone(self), permit: Some(permit) }
    }

    fn busy(&self, waited: Duration) -> AttemptError {
        AttemptError::Busy { limit: self.limit(), waited }
    }

    fn limit(&self) -> usize {
        self.size.lock().unwrap_or_else(PoisonError::into_inner).limit
    }

    /// Gives a place back, or ends it if it is one too many.
    fn give_back(&self, permit: OwnedSemaphorePermit) {
        // Under the lock, so that no place is given back while the limit is lowered.
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if size.surplus > 0 {
            size.surplus -= 1;
            permit.forget();
        } else {
            drop(permit);
        }
    }

    /// Calls under way.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place that is taken until this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(permit) = self.permit.take() {
            self.places.give_back(permit);
        }
    }
}

/// Counts one that waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
