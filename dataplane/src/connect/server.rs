//! The data plane as `routing connect` reaches it: one POST for each message, its answer an event stream or JSON.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use base64::Engine;
use crds::shown::{printable, url as shown_url};
use endpoint::method::{CALL, PROTOCOL_VERSION, PROTOCOL_VERSION_HEADER};
use futures::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sse_stream::SseStream;
use url::Url;

use crate::http_client::{self, BodyError, ClientError};

/// Largest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long a call is tried again while nothing listens: a server that restarts is back by then.
const AWAY_MAX: Duration = Duration::from_secs(3);
/// The same for other messages: a client that starts waits for few seconds.
const AWAY_AT_START_MAX: Duration = Duration::from_millis(500);
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// Longest text of the server that a message repeats, in characters.
const SHOWN: usize = 300;

/// Where the data plane is, and what it is sent.
pub struct Server {
    client: reqwest::Client,
    url: Url,
    token: Option<SecretString>,
}

/// Why a message has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("routing cannot be reached at {address}: {reason}; check that it runs, and the address")]
    Away { address: String, reason: String },
    #[error("{said}; routing connect sends the token in ROUTING_MCP_TOKEN, or that in {file}: {presence}")]
    Token { said: String, file: String, presence: &'static str },
    #[error("{address} answered {status}: {said}; check the address, which ends in /mcp")]
    Other { address: String, status: u16, said: String },
    #[error("the answer of {address} broke off: {reason}; call again")]
    BrokeOff { address: String, reason: String },
    #[error("the answer of {address} is larger than {} MiB", ANSWER_MAX_BYTES >> 20)]
    TooLarge { address: String },
}

impl Server {
    /// # Errors
    /// There is no HTTP client.
    pub fn new(url: Url, token: Option<SecretString>) -> Result<Self, ClientError> {
        Ok(Self { client: http_client::build(vec![])?, url, token })
    }

    /// Sends a message and passes on what comes back, in order: notifications first, the answer last. `negotiated` is the
    /// protocol version of a client that began with `initialize`.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn send(
        &self,
        message: &Value,
        schema: Option<&Value>,
        negotiated: Option<&str>,
        mut passed: impl FnMut(Value),
    ) -> Result<(), ServerError> {
        let response = self.post(message, schema, negotiated).await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return self.pass_events(response, passed).await;
        }
        let (status, is_json) = (response.status(), kind.starts_with("application/json"));
        let body = self.body(response).await?;
        let answer = if is_json { serde_json::from_slice::<Value>(&body).ok() } else { None };
        match answer {
            Some(answer) if status == StatusCode::UNAUTHORIZED => Err(self.refused(&answer)),
            Some(mut answer) => {
                // An error of HTTP itself was made before the request was read.
                if answer["id"].is_null() {
                    answer["id"] = message["id"].clone();
                }
                passed(answer);
                Ok(())
            }
            None if status.is_success() => Ok(()),
            None => Err(self.other(status, &String::from_utf8_lossy(&body))),
        }
    }

    async fn post(
        &self,
        message: &Value,
        schema: Option<&Value>,
        negotiated: Option<&str>,
    ) -> Result<Response, ServerError> {
        let is_call = message["method"] == CALL;
        let until = Instant::now() + if is_call { AWAY_MAX } else { AWAY_AT_START_MAX };
        loop {
            match self.request(message, schema, negotiated).send().await {
                Ok(response) => return Ok(response),
                // Nothing was sent.
                Err(error) if error.is_connect() && Instant::now() < until => tokio::time::sleep(TRY_AGAIN).await,
                Err(error) => {
                    let reason = crds::shown::chain(&error.without_url());
                    return Err(ServerError::Away { address: self.address(), reason: printable(&reason, SHOWN) });
                }
            }
        }
    }

    fn request(&self, message: &Value, schema: Option<&Value>, negotiated: Option<&str>) -> RequestBuilder {
        let mut request = self.client.post(self.url.clone()).body(message.to_string());
        request =
            request.header("accept", "application/json, text/event-stream").header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        for (name, value) in headers(message, schema, negotiated) {
            request = request.header(name, value);
        }
        request
    }

    async fn pass_events(&self, response: Response, mut passed: impl FnMut(Value)) -> Result<(), ServerError> {
        let mut events = SseStream::from_bytes_stream(Box::pin(bounded(response)));
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| self.broke_off(&error.to_string()))?;
            if let Ok(message) = serde_json::from_str(&event.data.unwrap_or_default()) {
                passed(message);
            }
        }
        Ok(())
    }

    async fn body(&self, response: Response) -> Result<Vec<u8>, ServerError> {
        http_client::read_bounded(response, ANSWER_MAX_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge => ServerError::TooLarge { address: self.address() },
            BodyError::Transport(error) => self.broke_off(&crds::shown::chain(&error.without_url())),
        })
    }

    fn refused(&self, answer: &Value) -> ServerError {
        let said = answer["error"]["message"].as_str().unwrap_or("the token is not accepted");
        let presence = if self.token.is_some() { "a token was sent" } else { "neither is set" };
        let file = super::TOKEN_FILE.into();
        ServerError::Token { said: printable(said, SHOWN), file, presence }
    }

    fn other(&self, status: StatusCode, said: &str) -> ServerError {
        ServerError::Other { address: self.address(), status: status.as_u16(), said: printable(said.trim(), SHOWN) }
    }

    fn broke_off(&self, reason: &str) -> ServerError {
        ServerError::BrokeOff { address: self.address(), reason: printable(reason, SHOWN) }
    }

    fn address(&self) -> String {
        shown_url(self.url.as_str())
    }
}

/// The body, up to the largest answer.
fn bounded(response: Response) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let too_large = || std::io::Error::other(format!("it is larger than {} MiB", ANSWER_MAX_BYTES >> 20));
    futures::stream::unfold((response, ANSWER_MAX_BYTES), move |(mut response, left)| async move {
        let chunk = match response.chunk().await {
            Ok(chunk) => chunk?,
            Err(error) => return Some((Err(std::io::Error::other(error.without_url())), (response, 0))),
        };
        match left.checked_sub(chunk.len()) {
            Some(left) => Some((Ok(chunk), (response, left))),
            None => Some((Err(too_large()), (response, 0))),
        }
    })
}

/// What HTTP says of a message in addition, so that nothing between has to read it (MCP 2026-07-28).
fn headers(message: &Value, schema: Option<&Value>, negotiated: Option<&str>) -> Vec<(String, String)> {
    let params = &message["params"];
    let Some(version) = params["_meta"][PROTOCOL_VERSION].as_str() else {
        let negotiated = negotiated.map(|version| (PROTOCOL_VERSION_HEADER.to_string(), version.to_string()));
        return negotiated.into_iter().collect();
    };
    let method = message["method"].as_str().unwrap_or_default();
    let mut headers = vec![(PROTOCOL_VERSION_HEADER.into(), encoded(version)), ("mcp-method".into(), encoded(method))];
    let name = params["name"].as_str().or_else(|| params["uri"].as_str());
    headers.extend(name.map(|name| ("mcp-name".to_string(), encoded(name))));
    let properties = schema.and_then(|schema| schema["properties"].as_object()).into_iter().flatten();
    headers.extend(properties.filter_map(|(property, schema)| {
        let header = schema["x-mcp-header"].as_str()?;
        let value = match &params["arguments"][property] {
            Value::String(text) => text.clone(),
            value @ (Value::Bool(_) | Value::Number(_)) => value.to_string(),
            _ => return None,
        };
        Some((format!("mcp-param-{header}"), encoded(&value)))
    }));
    headers
}

/// A text that is no header's value is wrapped, as MCP has it.
fn encoded(text: &str) -> String {
    let is_plain = text.chars().all(|c| (' '..='~').contains(&c)) && text.trim() == text && !text.starts_with("=?");
    if is_plain {
        text.into()
    } else {
        format!("=?base64?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
    }
}

/// An answer that says why there is none.
pub fn error(id: &Value, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": endpoint::UNAVAILABLE, "message": message}})
}
