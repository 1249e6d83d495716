//! Runs work on what a policy's author or a caller wrote apart from everything else: on a thread of its own with a large
//! stack, a bounded number at a time, with a limit of time.
//!
//! What such work may take is measured before (`depth`, `template`, `arguments`). This is the wall behind: work that takes
//! longer all the same costs its place and nobody else's answer, and a panic in it is an error.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// The stack of a thread, in bytes; of it only what is used takes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Why work has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApartError {
    /// It took too long, or did not get a place in time.
    #[error("not finished within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A bug: it panicked.
    #[error("panicked; please report this")]
    Panicked,
}

/// A bounded number of places for such work. Cheap to clone.
#[derive(Clone)]
pub struct Apart(Arc<Places>);

struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Apart {
    /// With this many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Places { free: Mutex::new(places), freed: Condvar::new() }))
    }

    /// Runs work and waits for its result, for at most `limit`; to be called where waiting is allowed. Work that is not
    /// finished by then keeps its place until it is.
    ///
    /// # Errors
    /// There is no result in time, or the work panicked.
    pub fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApartError> {
        let until = Instant::now() + limit;
        let place = self.place(until).ok_or(ApartError::TimedOut(limit))?;
        let (sender, receiver) = channel();
        let run = move || {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(|_| ApartError::Panicked);
            drop(place);
            // Nobody waits any more after a time-out.
            let _ = sender.send(result);
        };
        // Without a thread the closure is dropped, and its end of the channel with it.
        let started = thread::Builder::new().name("apart".into()).stack_size(STACK_BYTES).spawn(run);
        if started.is_err() {
            return Err(ApartError::TimedOut(limit));
        }
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(ApartError::TimedOut(limit)),
            Err(RecvTimeoutError::Disconnected) => Err(ApartError::Panicked),
        }
    }

    fn place(&self, until: Instant) -> Option<Place> {
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let (mut free, _) =
            self.0.freed.wait_timeout_while(free, left, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        if *free == 0 {
            return None;
        }
        *free -= 1;
        Some(Place(Arc::clone(&self.0)))
    }
}

/// A place that is taken; free again when dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const GENEROUS: Duration = Duration::from_secs(60);

    /// Recursion that needs about `depth` × 1 KiB of stack.
    fn recursion(depth: usize) -> usize {
        let filler = std::hint::black_box([depth; 128]);
        if depth == 0 { filler[0] } else { recursion(depth - 1) + usize::from(filler[127] > 0) }
    }

    #[test]
    fn work_has_a_large_stack_and_a_panic_is_an_error() {
        let apart = Apart::new(1);
        assert_eq!(apart.run(GENEROUS, || recursion(10_000)), Ok(10_000));
        assert_eq!(apart.run(GENEROUS, || panic!("as a bug would")), Err::<(), _>(ApartError::Panicked));
        assert_eq!(apart.run(GENEROUS, || 1), Ok(1), "the place is free again");
    }

    #[test]
    fn work_that_takes_too_long_costs_its_place_alone() {
        let (apart, (end, ended)) = (Apart::new(2), channel::<()>());
        let late = apart.run(SOON, move || ended.recv());
        assert_eq!(late, Err(ApartError::TimedOut(SOON)));
        assert_eq!(apart.run(GENEROUS, || 1), Ok(1), "there is another place");
        let (second, ended) = channel::<()>();
        assert!(apart.run(SOON, move || ended.recv()).is_err());
        assert_eq!(apart.run(SOON, || 1), Err(ApartError::TimedOut(SOON)), "both places are taken");
        drop((end, second));
        assert_eq!(apart.run(GENEROUS, || 1), Ok(1), "they are free again");
    }
}
