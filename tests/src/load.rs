//! Many calls at once, over connections that are kept alive as clients keep them, each told from all others.

use std::{ops::Range, time::Duration};

use futures::{StreamExt, stream};
use reqwest::{Client, ClientBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::{fault_server::marker, http_builder, mcp::CallResult, recorded, waiting};

/// Where calls go.
#[derive(Clone)]
pub struct Load {
    client: Client,
    url: String,
    token: Option<String>,
    /// The records of model calls have the number, too.
    is_recorded: bool,
}

/// What a call got.
#[derive(Debug)]
pub enum Got {
    /// The one result of the call.
    Result(CallResult),
    /// An HTTP status other than 200, with its JSON-RPC error.
    Refused(u16, Value),
    /// No answer, or one that is not well-formed.
    Lost(String),
    /// Nobody listens.
    NobodyListens,
}

/// A JSON-RPC answer with nothing else in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    jsonrpc: String,
    id: Value,
    result: Option<Value>,
    error: Option<Value>,
}

/// Its connections are kept for less long than the data plane keeps them, and nothing is tried twice.
fn client() -> ClientBuilder {
    let client = http_builder().timeout(waiting::LIMIT * 2).pool_idle_timeout(Duration::from_secs(30));
    client.retry(reqwest::retry::never())
}

impl Load {
    /// Calls of the MCP endpoint at this URL.
    ///
    /// # Panics
    /// If the client cannot be built.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self { client: client().build().expect("an HTTP client"), url: url.into(), token: None, is_recorded: false }
    }

    /// The same over one connection of HTTP/2.
    ///
    /// # Panics
    /// If the client cannot be built.
    #[must_use]
    pub fn over_one_connection(url: &str) -> Self {
        let client = client().http2_prior_knowledge().build().expect("an HTTP client");
        Self { client, url: url.into(), token: None, is_recorded: false }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    /// The same, and the record of each model call says which call it is of.
    #[must_use]
    pub fn recorded(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    /// Calls `debug` once for each number, so many at a time, and hands over what each got, as it comes.
    pub async fn calls(&self, numbers: Range<usize>, at_a_time: usize, mut each: impl FnMut(usize, Got)) {
        let mut calls = stream::iter(numbers).map(|number| self.call(number)).buffer_unordered(at_a_time);
        while let Some((number, got)) = calls.next().await {
            each(number, got);
        }
    }

    /// Calls `debug` with the marker of a number.
    pub async fn call(&self, number: usize) -> (usize, Got) {
        let got = self.exchange(number).await.unwrap_or_else(|error| {
            if error.is_connect() { Got::NobodyListens } else { Got::Lost(format!("{error:?}")) }
        });
        (number, got)
    }

    fn message(&self, number: usize) -> String {
        if self.is_recorded {
            return recorded::call(number).to_string();
        }
        let arguments = format!(r#"{{"project_root":"/tmp","problem":"{}"}}"#, marker(number));
        format!(
            r#"{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{{"name":"debug","arguments":{arguments}}}}}"#
        )
    }

    async fn exchange(&self, number: usize) -> Result<Got, reqwest::Error> {
        let request = self.client.post(&self.url).header("content-type", "application/json");
        let mut request = request.body(self.message(number));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.bytes().await?;
        let message: Message = match serde_json::from_slice(&text) {
            Ok(message) => message,
            Err(error) => return Ok(Got::Lost(format!("{status}: {error}: {}", String::from_utf8_lossy(&text)))),
        };
        Ok(match message {
            Message { jsonrpc, id, result: Some(result), error: None }
                if jsonrpc == "2.0" && id == number && status == 200 =>
            {
                Got::Result(CallResult(result))
            }
            Message { result: None, error: Some(error), .. } if status != 200 => Got::Refused(status, error),
            _ => Got::Lost(format!("{status}: {}", String::from_utf8_lossy(&text))),
        })
    }
}
