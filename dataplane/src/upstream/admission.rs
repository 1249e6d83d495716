//! What a model call needs before it is made: a circuit that lets it through, and a place.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    AttemptError, ModelClient,
    circuit::{Change, Circuit, Permit, Snapshot},
    endpoint_of,
    places::Place,
};

/// The right to one call of a model. Dropped, it leaves its place to the next one.
pub struct Admission {
    /// None: the model has no circuit.
    permit: Option<Permit>,
    _place: Place,
}

/// The circuit of a model.
#[derive(Clone)]
pub(super) struct Guarded {
    circuit: Arc<Circuit>,
    /// What becomes of calls while it is open, for the log: `calls go to Claude`.
    instead: &'static str,
}

/// How busy a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
}

impl ModelClient {
    /// With a circuit: that of the client before, if that is for the same endpoint and model, otherwise a new one. With
    /// another key or other authorities it may be tried at once. `instead`: what becomes of calls while it is open.
    pub fn with_circuit(self, before: Option<&Self>, instead: &'static str) -> Self {
        let same = before.filter(|before| before.is_same_model(&self.target));
        let kept = same.and_then(|before| Some((before, &before.guarded.as_ref()?.circuit)));
        if let Some((_, circuit)) =
            kept.filter(|(before, _)| !before.has_endpoint(&self.target, self.authorization.as_ref()))
        {
            circuit.due();
        }
        let circuit = kept.map(|(_, circuit)| Arc::clone(circuit)).unwrap_or_default();
        Self { guarded: Some(Guarded { circuit, instead }), ..self }
    }

    /// Lets the policy's limit of calls at the same time take effect; calls under way count.
    pub fn limit_places(&self) {
        self.places.resize(self.target.max_concurrent);
    }

    /// The right to a call, if it can be made now.
    ///
    /// # Errors
    /// `CircuitOpen`, or `Busy`: no place is free.
    pub fn admit_now(&self) -> Result<Admission, AttemptError> {
        let permit = self.permit()?;
        Ok(Admission { permit, _place: self.places.take_free()? })
    }

    /// The right to a call, as soon as it is this one's turn.
    ///
    /// # Errors
    /// `CircuitOpen`, at once also when it opens meanwhile; `Busy`: it was not its turn within `wait`, or too many wait.
    pub async fn admit(&self, wait: Duration) -> Result<Admission, AttemptError> {
        let permit = self.permit()?;
        let turn = self.places.take(wait);
        let place = match &permit {
            None => turn.await?,
            Some(permit) => tokio::select! {
                place = turn => place?,
                // Once more, for the error; and if it has closed again already, without a place it is too late all the same.
                () = permit.lost() => return self.admit_now(),
            },
        };
        if permit.as_ref().is_some_and(Permit::is_lost) {
            // The place came in the moment in which the circuit opened.
            drop(place);
            return self.admit_now();
        }
        Ok(Admission { permit, _place: place })
    }

    fn permit(&self) -> Result<Option<Permit>, AttemptError> {
        self.guarded.as_ref().map(|guarded| guarded.circuit.pass()).transpose()
    }

    /// Notes how an admitted call ended, which began then, and logs a change of the circuit.
    pub(super) fn note_end<T>(&self, admission: Admission, began: Instant, result: &Result<T, AttemptError>) {
        let change = admission.permit.and_then(|permit| permit.end(began, result));
        if let (Some(change), Some(guarded)) = (change, &self.guarded) {
            self.log(change, guarded.instead, result.as_ref().err());
        }
    }

    fn log(&self, change: Change, instead: &str, error: Option<&AttemptError>) {
        let (model, endpoint) = (&self.target.model, endpoint_of(&self.target.url));
        let error = error.map(tracing::field::display);
        match change {
            Change::Opened { failures, pause } => tracing::warn!(
                model,
                endpoint,
                error,
                "the local model has failed {failures} times in a row: {instead}; next trial in {} s",
                pause.as_secs()
            ),
            // Nothing changes for callers, so it is no further warning.
            Change::StaysOpen { pause } => tracing::info!(
                model,
                endpoint,
                error,
                "the trial of the local model failed; next trial in {} s",
                pause.as_secs()
            ),
            Change::Closed => tracing::info!(model, endpoint, "the local model is back: calls go to it again"),
        }
    }

    /// A probe reached the endpoint.
    pub(super) fn note_reached(&self) {
        if let Some(guarded) = &self.guarded {
            guarded.circuit.reached();
        }
    }

    /// The circuit as it is now; none: the model has none.
    pub fn circuit(&self) -> Option<Snapshot> {
        self.guarded.as_ref().map(|guarded| guarded.circuit.snapshot())
    }

    /// How busy the model is.
    pub fn load(&self) -> Load {
        Load { in_flight: self.places.taken(), waiting: self.places.waiting() }
    }
}
