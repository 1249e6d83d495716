//! Model calls: one POST to an OpenAI-compatible endpoint.

pub mod answer;
pub mod error;

use std::time::{Duration, Instant};

use crds::table::ModelTarget;
use reqwest::{
    Client,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

pub use self::{answer::Answer, error::AttemptError};
use crate::http_client::{self, BodyError};

/// Largest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The two texts of a model call.
#[derive(Clone)]
pub struct Prompt {
    /// The system message: what the model should be.
    pub system: String,
    /// The user message: what the model should do.
    pub user: String,
}

/// A model with the HTTP client and the key for its calls.
#[derive(Clone)]
pub struct Model {
    target: ModelTarget,
    authorization: Option<HeaderValue>,
    client: Client,
}

/// Why a model cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The CA bundle holds no usable certificate.
    #[error("holds no certificate that TLS can use; it must be PEM with -----BEGIN CERTIFICATE----- lines")]
    CaBundle,
    /// Only without a CA bundle: with one, every error of the client is `CaBundle`.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

impl Model {
    /// Prepares a model for calls. A key that an HTTP header cannot carry counts as none; `secrets` reports it.
    ///
    /// # Errors
    /// The CA bundle is unusable.
    pub fn new(target: ModelTarget, key: Option<&SecretString>) -> Result<Self, ModelError> {
        let client = client(target.ca_bundle.as_deref())?;
        Ok(Self { authorization: key.and_then(bearer), target, client })
    }

    /// The model as the policy describes it.
    #[must_use]
    pub fn target(&self) -> &ModelTarget {
        &self.target
    }

    /// Calls the model and waits for at most `budget`.
    ///
    /// # Errors
    /// There is no usable answer; the error never contains a text of the prompt or of the endpoint.
    pub async fn ask(&self, prompt: &Prompt, budget: Duration) -> Result<Answer, AttemptError> {
        let asked = Instant::now();
        match tokio::time::timeout(budget, self.exchange(prompt)).await {
            Ok(answer) => answer,
            Err(_) => Err(AttemptError::TimedOut { after: asked.elapsed() }),
        }
    }

    async fn exchange(&self, prompt: &Prompt) -> Result<Answer, AttemptError> {
        let body = request_body(&self.target.model, &self.target.parameters, prompt);
        let mut request = self.client.post(self.target.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let response = request.send().await.map_err(|e| AttemptError::from_transport(&e))?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = http_client::read_bounded(response, ANSWER_MAX_BYTES).await.map_err(|error| match error {
            BodyError::Transport(error) => AttemptError::from_transport(&error),
            BodyError::TooLarge => AttemptError::TooLarge { limit: ANSWER_MAX_BYTES },
        })?;
        if !status.is_success() {
            return Err(AttemptError::Status { status: status.as_u16(), kind: answer::error_type(&body) });
        }
        answer::parse(&body, &answer::Gateway::from_headers(&headers))
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
    let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| ModelError::CaBundle)?;
    if certificates.is_empty() {
        return Err(ModelError::CaBundle);
    }
    // PEM whose content is not a certificate is detected only when the client is built.
    http_client::build(certificates).map_err(|_| ModelError::CaBundle)
}

/// `Authorization: Bearer …`, marked as sensitive; none if the secret has bytes that a header cannot carry.
#[must_use]
pub fn bearer(secret: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn request_body(model: &str, parameters: &Map<String, Value>, prompt: &Prompt) -> String {
    let mut body = json!({
        "model": model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
    });
    if let Some(body) = body.as_object_mut() {
        body.extend(parameters.clone());
    }
    body.to_string()
}

/// The first 200 characters of a header's value, escaped; none if the value is not text.
fn short_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(crds::field_error::printable(value, 200))
}
