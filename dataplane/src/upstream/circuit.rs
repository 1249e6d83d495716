//! The circuit of the local model: while it is open, nobody waits for a model that does not answer. It outlives reloads.

mod state;

use std::{
    future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

pub use self::state::{Change, Snapshot};
use self::state::{Pass, Refused, State};
use super::AttemptError;

/// The circuit of one endpoint and model.
#[derive(Default)]
pub(super) struct Circuit {
    state: Mutex<State>,
    /// Whether it is open, for calls that wait for a place.
    open: watch::Sender<bool>,
}

impl Circuit {
    /// Lets a call through.
    ///
    /// # Errors
    /// It is open.
    pub(super) fn pass(self: &Arc<Self>) -> Result<Permit, AttemptError> {
        let admitted = self.lock().admit(Instant::now());
        let pass =
            admitted.map_err(|Refused { failures, next_trial }| AttemptError::CircuitOpen { failures, next_trial })?;
        Ok(Permit { circuit: Arc::clone(self), pass, ended: false })
    }

    /// Notes that a probe reached the endpoint.
    pub(super) fn reached(&self) {
        self.lock().reached(Instant::now());
    }

    /// Lets the next call try, because what failed has been changed.
    pub(super) fn due(&self) {
        self.lock().due(Instant::now());
    }

    /// What `/status` shows.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().snapshot(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the next can fail, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was let through. Dropped before its end, a trial is given up: the next call makes one.
pub(super) struct Permit {
    circuit: Arc<Circuit>,
    pass: Pass,
    ended: bool,
}

impl Permit {
    /// Notes how the call ended, which began then; a change of the circuit, if that made one.
    pub(super) fn end<T>(mut self, began: Instant, result: &Result<T, AttemptError>) -> Option<Change> {
        self.ended = true;
        let mut state = self.circuit.lock();
        let change = state.ended(self.pass, began, result.as_ref().err(), Instant::now());
        // Under the lock, so that of two changes the last one stands here, too.
        let is_open = state.is_open();
        self.circuit.open.send_if_modified(|open| std::mem::replace(open, is_open) != is_open);
        change
    }

    /// Ends when the circuit has opened meanwhile, and with it this permit's right to a call. A trial keeps that.
    pub(super) async fn lost(&self) {
        if self.pass == Pass::Trial {
            return future::pending().await;
        }
        // Fails only when the sender is gone, and it is a part of `self`.
        let _ = self.circuit.open.subscribe().wait_for(|open| *open).await;
    }

    /// Whether [`Self::lost`] has ended.
    pub(super) fn is_lost(&self) -> bool {
        self.pass == Pass::Normal && *self.circuit.open.borrow()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.ended && self.pass == Pass::Trial {
            self.circuit.lock().given_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Result<(), AttemptError> = Err(AttemptError::Interrupted);

    async fn opened() -> Arc<Circuit> {
        let circuit = Arc::new(Circuit::default());
        let waiting = circuit.pass().expect("closed");
        for failures in 1..=state::FAILURES {
            assert!(!waiting.is_lost(), "after {failures} failures");
            circuit.pass().expect("closed").end(Instant::now(), &DOWN);
        }
        waiting.lost().await;
        assert!(waiting.is_lost());
        circuit
    }

    #[tokio::test]
    async fn who_waits_for_a_place_is_told_when_the_circuit_opens() {
        let circuit = opened().await;
        let refused = circuit.pass().err().expect("open");
        assert!(matches!(refused, AttemptError::CircuitOpen { failures: 5, next_trial: Some(_) }), "{refused:?}");
    }

    #[tokio::test]
    async fn a_trial_whose_caller_left_is_made_by_the_next_call() {
        let circuit = opened().await;
        circuit.due();
        let trial = circuit.pass().expect("due");
        assert!(!trial.is_lost(), "it is what closes the circuit");
        let refused = circuit.pass().err().expect("one trial at a time");
        assert!(matches!(refused, AttemptError::CircuitOpen { next_trial: None, .. }), "{refused:?}");
        drop(trial);
        let closed = circuit.pass().expect("free again").end(Instant::now(), &Ok(()));
        assert_eq!(closed, Some(Change::Closed));
        assert!(!circuit.pass().expect("closed").is_lost());
    }
}
