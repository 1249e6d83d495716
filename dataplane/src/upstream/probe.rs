//! Asks an endpoint for its models: whether it can be reached, whether it takes the key, and which models it has. No
//! model runs for it, and it is neither a call nor a decision.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION};

use super::{AttemptError, ModelClient, Reachability, listing, listing::Listing};
use crate::http_client::{self, BodyError};

/// Longest probe.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time between the beginnings of two probes, at least: many reloads in a row make no more of them.
const INTERVAL_MIN: Duration = Duration::from_secs(5);
/// Longest list of models that is read, in bytes; gateways with hundreds of models send some hundred KiB.
const LIST_MAX_BYTES: usize = 2 * 1024 * 1024;

impl ModelClient {
    /// Probes the model's endpoint, unless it has just been probed for this or another model.
    pub async fn probe(&self) {
        let Some(began) = self.reach.begin(INTERVAL_MIN) else { return };
        let listed = tokio::time::timeout(TIMEOUT, self.list()).await;
        if matches!(listed, Ok(Ok(_))) {
            self.note_reached();
        }
        // Always the same time, so that the text of a lasting error does not change.
        self.reach.probed(began, listed.unwrap_or(Err(AttemptError::TimedOut { after: TIMEOUT })));
    }

    /// What is known about the model's endpoint, as soon as anything is, but after `wait` at the latest.
    pub async fn known_reachability(&self, wait: Duration) -> Reachability {
        // Either way the answer is what is known by then.
        let _ = tokio::time::timeout(wait, self.reach.asked()).await;
        self.reachability()
    }

    /// What calls and probes have shown about the model's endpoint.
    pub fn reachability(&self) -> Reachability {
        self.reach.of(&self.target.model, self.authorization.is_some())
    }

    fn key(&self) -> Option<&str> {
        self.authorization.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
    }

    async fn list(&self) -> Result<Listing, AttemptError> {
        let url = self.target.models_url();
        let mut request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|e| AttemptError::from_transport(&e, &url))?;
        if !response.status().is_success() {
            return Ok(Listing::Status(response.status().as_u16()));
        }
        match http_client::read_bounded(response, LIST_MAX_BYTES).await {
            Ok(body) => Ok(listing::parse(&body).unless_it_repeats(self.key())),
            Err(BodyError::TooLarge) => Ok(Listing::Unclear),
            Err(BodyError::Transport(error)) => Err(AttemptError::from_transport(&error, &url)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, http::HeaderMap, routing::get};
    use crds::table::ModelTarget;
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;
    use crate::upstream::tests::{error_of_a_call, target_at};

    /// An endpoint, and the key of each probe.
    async fn endpoint() -> (ModelTarget, Arc<Mutex<Vec<String>>>) {
        let keys: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&keys);
        let list = move |headers: HeaderMap| async move {
            let key = headers.get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default();
            seen.lock().expect("not poisoned").push(key.to_string());
            Json(json!({"data": [{"id": "m"}]}))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/base/v1/chat/completions", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/base/v1/models", get(list))).await });
        (target_at(&url), keys)
    }

    #[tokio::test]
    async fn an_endpoint_is_probed_once_for_both_models_and_anew_with_another_key() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (target, keys) = endpoint().await;
        let client = |before: Option<&ModelClient>, beside: Option<&ModelClient>, model: &str, key: &str| {
            let (target, key) = (ModelTarget { model: model.into(), ..target.clone() }, SecretString::from(key));
            ModelClient::after(before, beside, target, Some(&key)).expect("a client")
        };
        let local = client(None, None, "m", "first");
        let claude = client(None, Some(&local), "c", "first");
        futures::future::join(local.probe(), claude.probe()).await;
        assert_eq!(*keys.lock().expect("not poisoned"), ["Bearer first"]);
        assert_eq!((local.reachability().reachable, local.reachability().problem), (Some(true), String::new()));
        assert!(claude.reachability().problem.contains("does not list the model c"), "{:?}", claude.reachability());

        let renamed = client(Some(&local), None, "other", "first");
        assert_eq!(renamed.reachability().since_ms, local.reachability().since_ms, "what is known is kept");
        let rotated = client(Some(&renamed), None, "m", "second");
        assert_eq!(rotated.reachability().reachable, None, "nothing is known of this key");
        rotated.probe().await;
        assert_eq!(*keys.lock().expect("not poisoned"), ["Bearer first", "Bearer second"]);
    }

    #[tokio::test]
    async fn a_call_that_meets_a_dead_endpoint_tells_it_before_the_next_probe() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1/chat/completions", closed.local_addr().expect("an address"));
        drop(closed);
        let client = ModelClient::after(None, None, target_at(&url), None).expect("a client");
        error_of_a_call(&client).await.expect("nobody listens");
        let told = client.reachability();
        assert_eq!(told.reachable, Some(false));
        assert!(told.problem.starts_with("cannot be reached: the connection was refused; "), "{told:?}");
    }
}
