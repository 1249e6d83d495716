//! Requests to an MCP endpoint as clients get them wrong, each with its answer. Data plane and brain give the same one: the
//! same code serves both.

mod calls;
mod messages;
mod of_http;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

pub use self::{calls::Tool, messages::messages, of_http::of_http};
use crate::mcp::CallResult;

/// The request is none that MCP knows.
const INVALID_REQUEST: i64 = -32_600;
/// Its parameters do not fit its method.
const INVALID_PARAMS: i64 = -32_602;
/// What no answer repeats.
const CANARY: &str = "CANARY";

/// A wrong request, and what is answered.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// What is wrong.
    pub what: &'static str,
    /// Its method of HTTP.
    pub method: &'static str,
    /// Its headers, beside `host` and the length of its body.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Its body.
    pub body: String,
    /// The status of its answer, which is JSON-RPC whatever the status is.
    pub status: u16,
    /// The id in the answer.
    pub id: Value,
    /// The code of the error in the answer; none: the tool has a result, which is an error.
    pub code: Option<i64>,
    /// A part of what is said.
    pub named: &'static str,
}

impl Wrong {
    /// A body that is refused because it is no request.
    fn post(what: &'static str, body: impl Into<String>) -> Self {
        Self {
            what,
            method: "POST",
            headers: vec![("content-type", "application/json")],
            body: body.into(),
            status: 400,
            id: Value::Null,
            code: Some(INVALID_REQUEST),
            named: "",
        }
    }

    /// With a header beside its own.
    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The request, as an HTTP library sends it to this URL.
    ///
    /// # Panics
    /// If its method is none.
    pub fn request(&self, url: &str) -> RequestBuilder {
        let method = self.method.parse().expect("a method");
        let request = crate::http().request(method, url).body(self.body.clone());
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    /// The bytes of the request, for a connection that is kept.
    #[must_use]
    pub fn text(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (method, length, body) = (self.method, self.body.len(), &self.body);
        format!("{method} /mcp HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}")
    }

    /// Checks the answer.
    ///
    /// # Panics
    /// If it is another one.
    pub fn is_answered(&self, status: u16, body: &str) {
        let what = self.what;
        let answer: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{what}: {status}: {e}: {body}"));
        let expected = (self.status, &json!("2.0"), &self.id);
        assert_eq!((status, &answer["jsonrpc"], &answer["id"]), expected, "{what}: {body}");
        let (error, result) = (&answer["error"], CallResult(answer["result"].clone()));
        let said = error["message"].as_str().unwrap_or_else(|| result.text(0));
        let fits = error["code"].as_i64() == self.code && result.is_error() == self.code.is_none();
        assert!(fits && !said.is_empty() && said.contains(self.named), "{what}: {body}");
        assert!(!body.contains(CANARY), "{what}: what was sent is repeated: {body}");
    }
}
