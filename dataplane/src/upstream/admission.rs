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
    /// With a circuit: that of the client before, if that is for the same endpoint and model, otherwise a new one.
    /// `instead`: what becomes of calls while it is open.
    pub fn with_circuit(self, before: Option<&Self>, instead: &'static str) -> Self {
        let same = before.filter(|before| before.is_same_model(&self.target));
        let kept = same.and_then(|before| before.guarded.as_ref());
        let circuit = kept.map(|kept| Arc::clone(&kept.circuit)).unwrap_or_default();
        Self { guarded: Some(Guarded { circuit, instead }), ..self }
    }

    /// It is the one that is called from now on, in place of the one before. The policy's limit of calls at the same time
    /// counts, also for calls under way, and a circuit that both share may be tried at once with another key or other
    /// authorities. Until then it has changed nothing of the one before.
    pub fn take_effect(&self, before: Option<&Self>) {
        self.places.resize(self.target.max_concurrent);
        let Some((before, own)) = before.zip(self.guarded.as_ref()) else { return };
        let shared = before.guarded.as_ref().is_some_and(|theirs| Arc::ptr_eq(&theirs.circuit, &own.circuit));
        if shared && !before.has_endpoint(&self.target, self.authorization.as_ref()) {
            own.circuit.due();
        }
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

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use crds::table::ModelTarget;
    use secrecy::SecretString;
    use tokio::net::TcpListener;

    use super::*;
    use crate::upstream::tests::{error_of_a_call, target_at};

    fn client(before: Option<&ModelClient>, target: ModelTarget, key: Option<&str>) -> ModelClient {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = key.map(SecretString::from);
        let client = ModelClient::after(before, None, target, key.as_ref()).expect("a client");
        let client = client.with_circuit(before, "calls go to Claude");
        client.take_effect(before);
        client
    }

    fn state(client: &ModelClient) -> &'static str {
        client.circuit().expect("a circuit").state
    }

    /// A client whose circuit is open, and the address where nobody listens.
    async fn left_alone() -> (ModelClient, std::net::SocketAddr) {
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = closed.local_addr().expect("an address");
        drop(closed);
        let client = client(None, target_at(&format!("http://{address}/v1/chat/completions")), None);
        while state(&client) == "closed" {
            assert!(matches!(error_of_a_call(&client).await, Some(AttemptError::Unreachable { .. })));
        }
        assert!(matches!(client.admit_now(), Err(AttemptError::CircuitOpen { failures: 5, .. })));
        (client, address)
    }

    #[tokio::test]
    async fn an_endpoint_that_a_probe_reaches_again_is_tried_by_the_next_call() {
        let (client, address) = left_alone().await;
        client.probe().await;
        assert_eq!(state(&client), "open", "still nobody listens");
        let listener = TcpListener::bind(address).await.expect("the same port");
        let list = Router::new().route("/v1/models", get(|| async { "{}" }));
        tokio::spawn(async move { axum::serve(listener, list).await });
        let next = probed_long_ago(&client);
        next.probe().await;
        assert_eq!(state(&next), "half_open");
        assert!(error_of_a_call(&next).await.is_some(), "it lists its models and serves none");
        assert_eq!(state(&next), "open");
    }

    /// A client with the same circuit that may be probed at once.
    fn probed_long_ago(before: &ModelClient) -> ModelClient {
        let fresh = ModelClient::after(None, None, before.target.clone(), None).expect("a client");
        ModelClient { guarded: before.guarded.clone(), ..fresh }
    }

    #[tokio::test]
    async fn a_circuit_is_kept_with_its_model_and_tried_at_once_with_another_key() {
        let (before, _) = left_alone().await;
        let target = before.target.clone();
        let same = client(Some(&before), ModelTarget { max_concurrent: Some(2), ..target.clone() }, None);
        assert_eq!(state(&same), "open");
        let other_model = client(Some(&before), ModelTarget { model: "other".into(), ..target.clone() }, None);
        assert_eq!(state(&other_model), "closed");
        let other_key = client(Some(&before), target, Some("key"));
        assert_eq!(state(&other_key), "half_open");
    }

    #[tokio::test]
    async fn a_call_that_waits_for_a_place_is_sent_on_when_the_circuit_opens() {
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1/chat/completions", closed.local_addr().expect("an address"));
        drop(closed);
        let client = client(None, ModelTarget { max_concurrent: Some(1), ..target_at(&url) }, None);
        let guarded = client.guarded.as_ref().expect("a circuit");
        let taken = client.admit_now().expect("the place");
        let waits = client.admit(Duration::from_secs(600));
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        assert_eq!(client.load(), Load { in_flight: 1, waiting: 1 });
        while state(&client) == "closed" {
            let permit = guarded.circuit.pass().expect("closed");
            permit.end(Instant::now(), &Err::<(), _>(AttemptError::Interrupted));
        }
        assert!(matches!(waits.await, Err(AttemptError::CircuitOpen { .. })));
        assert_eq!(client.load(), Load { in_flight: 1, waiting: 0 });
        drop(taken);
        assert_eq!(client.load(), Load { in_flight: 0, waiting: 0 });
    }
}
