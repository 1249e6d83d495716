//! Model calls: one POST to an OpenAI-compatible endpoint.

mod admission;
pub mod answer;
#[cfg(test)]
mod answers;
mod circuit;
pub mod error;
mod finish;
mod listing;
mod places;
mod probe;
mod reach;
mod thinking;
mod unreachable;
mod usage;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::table::ModelTarget;
use endpoint::trace::TraceContext;
use reqwest::{
    Client,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use self::{admission::Guarded, places::Places, reach::Reach};
pub use self::{
    admission::{Admission, Load},
    answer::Answer,
    circuit::Snapshot,
    error::{AttemptError, endpoint_of},
    finish::FinishReason,
    reach::Reachability,
    unreachable::Unreachable,
    usage::{Cost, CostFrom, Usage},
};
use crate::http_client::{self, BodyError, ClientError, Room};

/// Largest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Large answers are read a few at a time, all others wait within their attempt's time: 256 calls in flight, with 4 MiB
/// each, would be more than a pod may have. Answers that people read are small.
static ROOM: Room = Room { small_bytes: 256 * 1024, places: Semaphore::const_new(16) };

/// The two texts of a model call.
#[derive(Clone)]
pub struct Prompt {
    /// The system message: what the model should be.
    pub system: Arc<str>,
    /// The user message: what the model should do.
    pub user: String,
}

/// A model with the HTTP client and the key for its calls.
#[derive(Clone)]
pub struct ModelClient {
    target: ModelTarget,
    authorization: Option<HeaderValue>,
    client: Client,
    reach: Arc<Reach>,
    places: Arc<Places>,
    /// None: it is called however often it fails.
    guarded: Option<Guarded>,
}

/// What became of a model call.
pub struct Reply {
    /// Also of an answer that cannot be used: it was paid for.
    pub usage: Usage,
    /// The answer. An error never contains a text of the prompt or of the endpoint.
    pub result: Result<Answer, AttemptError>,
}

/// Why a model cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The CA bundle holds no usable certificate.
    #[error("holds no certificate that TLS can use; it must be PEM with -----BEGIN CERTIFICATE----- lines")]
    CaBundle,
    /// Only without a CA bundle: with one, every error of the client is `CaBundle`.
    #[error("the HTTP client cannot be built")]
    Client(#[source] ClientError),
}

impl ModelClient {
    /// Prepares a model for calls. A key that an HTTP header cannot carry counts as none; `secrets` reports it.
    /// Open connections of the client before are kept unless the authorities changed, and what is known about the
    /// endpoint unless its address or key changed; it is shared with the client of the other model, `beside`. The places of
    /// its calls are kept unless its address or name changed.
    ///
    /// # Errors
    /// The CA bundle is unusable.
    pub fn after(
        before: Option<&Self>,
        beside: Option<&Self>,
        target: ModelTarget,
        key: Option<&SecretString>,
    ) -> Result<Self, ModelError> {
        let client = match before.filter(|before| before.target.ca_bundle == target.ca_bundle) {
            Some(before) => before.client.clone(),
            None => client(target.ca_bundle.as_deref())?,
        };
        let authorization = key.and_then(bearer);
        let same = |known: &&Self| known.has_endpoint(&target, authorization.as_ref());
        let reach = [beside, before].into_iter().flatten().find(same).map(|known| Arc::clone(&known.reach));
        let places = before.filter(|before| before.is_same_model(&target)).map(|before| Arc::clone(&before.places));
        let (reach, places) = (reach.unwrap_or_default(), places.unwrap_or_default());
        Ok(Self { authorization, target, client, reach, places, guarded: None })
    }

    /// Whether it calls the model of this name at this endpoint.
    fn is_same_model(&self, target: &ModelTarget) -> bool {
        (&self.target.url, &self.target.model) == (&target.url, &target.model)
    }

    /// Whether it calls this endpoint with this key.
    fn has_endpoint(&self, target: &ModelTarget, authorization: Option<&HeaderValue>) -> bool {
        let own = (&self.target.url, &self.target.ca_bundle, self.authorization.as_ref());
        own == (&target.url, &target.ca_bundle, authorization)
    }

    /// The model as the policy describes it.
    pub fn target(&self) -> &ModelTarget {
        &self.target
    }

    /// Calls the model and waits for at most `budget`. The endpoint gets the trace that this is part of, in headers.
    pub async fn ask(
        &self,
        admission: Admission,
        within: Option<&TraceContext>,
        prompt: &Prompt,
        budget: Duration,
    ) -> Reply {
        let asked = Instant::now();
        let exchanged = tokio::time::timeout(budget, self.exchange(within, prompt)).await;
        let exchanged = exchanged.unwrap_or_else(|_| Err(AttemptError::TimedOut { after: asked.elapsed() }));
        let reply = match exchanged {
            Ok((headers, body)) => Reply {
                usage: Usage::of(&headers, &body, self.target.price.as_ref()),
                result: answer::read(&body, answer::Gateway::from_headers(&headers)),
            },
            Err(error) => Reply { usage: Usage::default(), result: Err(error) },
        };
        self.reach.called(asked, &self.target.model, &reply.result);
        self.note_end(admission, asked, &reply.result);
        reply
    }

    /// The headers and the document of an answer with a status of success.
    async fn exchange(
        &self,
        within: Option<&TraceContext>,
        prompt: &Prompt,
    ) -> Result<(HeaderMap, Value), AttemptError> {
        let url = &self.target.url;
        let body = ChatRequest::new(&self.target, prompt).json();
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        // Without this header an endpoint may choose any encoding (RFC 9110, 12.5.3).
        request = request.header(ACCEPT_ENCODING, "identity");
        for (name, value) in within.into_iter().flat_map(TraceContext::headers) {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|e| AttemptError::from_transport(&e, url))?;
        let status = response.status();
        let headers = response.headers().clone();
        let read = http_client::read_in_room(response, ANSWER_MAX_BYTES, &ROOM).await;
        // The place is held until the body is parsed.
        let (body, _place) = read.map_err(|error| match error {
            BodyError::Transport(error) => AttemptError::from_transport(&error, url),
            BodyError::TooLarge => AttemptError::TooLarge { limit: ANSWER_MAX_BYTES },
        })?;
        let document = answer::document(status, &headers, &body, &self.target.model)?;
        Ok((headers, document))
    }
}

/// Checks that a CA bundle can be used.
///
/// # Errors
/// It holds no usable certificate.
pub fn check_ca_bundle(pem: &str) -> Result<(), ModelError> {
    client(Some(pem)).map(drop)
}

/// A client for one set of authorities.
fn client(ca_bundle: Option<&str>) -> Result<Client, ModelError> {
    let Some(pem) = ca_bundle else { return http_client::build(vec![]).map_err(ModelError::Client) };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.ok().filter(|read| !read.is_empty()).ok_or(ModelError::CaBundle)?;
    // PEM whose content is not a certificate is detected only when the client is built.
    http_client::build(certificates).map_err(|_| ModelError::CaBundle)
}

/// `Authorization: Bearer …`, marked as sensitive; none if the secret has bytes that a header cannot carry.
pub fn bearer(secret: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The body of a chat completion.
#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    #[serde(flatten)]
    parameters: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> ChatRequest<'a> {
    fn new(target: &'a ModelTarget, prompt: &'a Prompt) -> Self {
        let message = |role, content| Message { role, content };
        Self {
            model: &target.model,
            messages: [message("system", &prompt.system), message("user", &prompt.user)],
            parameters: &target.parameters,
        }
    }

    /// As it is sent, with no room for more: it lasts as long as the call.
    fn json(&self) -> Vec<u8> {
        // Every key is a string, and what JSON cannot hold is no JSON value.
        let mut json = serde_json::to_vec(self).expect("texts and JSON values are JSON");
        json.shrink_to_fit();
        json
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        net::SocketAddr,
        sync::{Arc, Mutex},
    };

    use axum::{Json, Router, extract::ConnectInfo, routing::post};
    use serde_json::json;

    use super::*;

    /// The model `m` at this address.
    pub(super) fn target_at(url: &str) -> ModelTarget {
        ModelTarget {
            url: url.parse().expect("a URL"),
            model: "m".into(),
            parameters: Map::new(),
            api_key: None,
            ca_bundle: None,
            timeout: None,
            max_concurrent: None,
            price: None,
        }
    }

    /// Calls a model; the error, if there is one.
    pub(super) async fn error_of_a_call(client: &ModelClient) -> Option<AttemptError> {
        let admission = client.admit_now().expect("a call");
        let prompt = Prompt { system: "s".into(), user: "u".into() };
        client.ask(admission, None, &prompt, Duration::from_secs(60)).await.result.err()
    }

    /// A model, and the addresses that called it: one for each connection.
    async fn model() -> (ModelTarget, Arc<Mutex<BTreeSet<SocketAddr>>>) {
        let callers: Arc<Mutex<BTreeSet<SocketAddr>>> = Arc::default();
        let seen = Arc::clone(&callers);
        let answer = move |ConnectInfo(caller): ConnectInfo<SocketAddr>| async move {
            seen.lock().expect("not poisoned").insert(caller);
            Json(json!({"choices": [{"message": {"content": "hello"}}]}))
        };
        let app = Router::new().route("/", post(answer)).into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (target_at(&url), callers)
    }

    #[tokio::test]
    async fn a_new_key_keeps_the_connection_to_the_model_and_new_authorities_do_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (target, callers) = model().await;
        let ask = async |client: &ModelClient| {
            assert_eq!(error_of_a_call(client).await, None);
            callers.lock().expect("not poisoned").len()
        };
        let first = ModelClient::after(None, None, target.clone(), None).expect("a client");
        assert_eq!(ask(&first).await, 1);
        let renamed = ModelTarget { model: "other".into(), ..target.clone() };
        let second = ModelClient::after(Some(&first), None, renamed, Some(&"key".into())).expect("a client");
        assert_eq!(ask(&second).await, 1, "the connection is kept");
        assert!(second.authorization.is_some() && first.authorization.is_none());
        let ca_bundle = Some(include_str!("../../tests/tests/operator/home-ca.pem").into());
        let third =
            ModelClient::after(Some(&second), None, ModelTarget { ca_bundle, ..target }, None).expect("a client");
        assert_eq!(ask(&third).await, 2, "other authorities, another connection");
    }

    /// Answers each call with this response.
    async fn endpoint(response: impl axum::response::IntoResponse + Clone + Send + Sync + 'static) -> ModelTarget {
        let (target, _) = model().await;
        let encodings = move |headers: axum::http::HeaderMap| async move {
            assert_eq!(headers["accept-encoding"], "identity");
            response
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(encodings))).await });
        ModelTarget { url, ..target }
    }

    async fn error_of(target: ModelTarget) -> AttemptError {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ModelClient::after(None, None, target, None).expect("a client");
        error_of_a_call(&client).await.expect("an error")
    }

    #[tokio::test]
    async fn an_answer_is_asked_for_without_compression_and_a_compressed_one_is_named() {
        let gzip = ([("content-encoding", "gzip")], &b"\x1f\x8b\x08"[..]);
        let error = error_of(endpoint(gzip).await).await;
        assert!(error.kind() == "encoded" && error.to_string().contains("(gzip)"), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_named_by_host_and_port_with_the_cause() {
        let (target, _) = model().await;
        let plain = target.url.port().expect("a port");
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let refused = closed.local_addr().expect("an address").port();
        drop(closed);
        for (url, endpoint, cause) in [
            (format!("http://127.0.0.1:{refused}/secret"), format!("127.0.0.1:{refused}"), Unreachable::Refused),
            (format!("https://127.0.0.1:{plain}/secret"), format!("127.0.0.1:{plain}"), Unreachable::NotTls),
            ("http://model.invalid/secret".into(), "model.invalid:80".into(), Unreachable::Name),
            ("https://model.invalid/secret".into(), "model.invalid:443".into(), Unreachable::Name),
        ] {
            let error = error_of(ModelTarget { url: url.parse().expect("a URL"), ..target.clone() }).await;
            assert!(!error.to_string().contains("secret"), "{error}");
            assert_eq!(error, AttemptError::Unreachable { endpoint, cause }, "{url}");
        }
    }

    #[test]
    fn contract_5_the_request_has_the_model_the_two_messages_and_the_parameters() {
        let parameters = json!({"temperature": 0}).as_object().cloned().expect("an object");
        let target = ModelTarget { model: "qwen35".into(), parameters, ..target_at("http://a/") };
        let prompt = Prompt { system: "s".into(), user: "u".into() };
        assert_eq!(
            json!(ChatRequest::new(&target, &prompt)),
            json!({"model": "qwen35", "temperature": 0,
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]})
        );
    }
}
