//! A call of a load, as a text.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::Target;

/// A request that is sent again and again, with the number of the call where it has [`NUMBER`](Self::NUMBER).
pub struct Call {
    url: String,
    token: Option<&'static str>,
    body: String,
    answered: &'static str,
    /// What the client reads, if it says so.
    accept: Option<&'static str>,
    /// How long the client waits, if not as long as all others.
    within: Option<Duration>,
}

impl Call {
    /// Stands for the number of a call, once in a body: who asks the same again was not served by the first answer, which
    /// would be reported, too.
    pub const NUMBER: &str = "@number@";

    /// A request with this body, whose answer has this text in it.
    #[must_use]
    pub fn new(url: &str, body: &Value, answered: &'static str) -> Self {
        Self { url: url.into(), token: None, body: body.to_string(), answered, accept: None, within: None }
    }

    /// A call of the skill `debug` of a data plane.
    #[must_use]
    pub fn debug(mcp_url: &str, problem: &str, answered: &'static str) -> Self {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "debug", "arguments": {"project_root": "/tmp", "problem": problem}}});
        Self::new(mcp_url, &body, answered)
    }

    /// As Claude Code calls: the client reads event streams, and has the call report its progress.
    #[must_use]
    pub fn debug_with_progress(mcp_url: &str, problem: &str, answered: &'static str) -> Self {
        let arguments = json!({"project_root": "/tmp", "problem": problem});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "debug", "arguments": arguments, "_meta": {"progressToken": 1}}});
        Self { accept: Some("application/json, text/event-stream"), ..Self::new(mcp_url, &body, answered) }
    }

    /// Of a client that waits no longer.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { within: Some(time), ..self }
    }

    /// With a key.
    #[must_use]
    pub fn token(self, token: &'static str) -> Self {
        Self { token: Some(token), ..self }
    }
}

impl Target for Call {
    fn request(&self, client: &Client, call: u32) -> RequestBuilder {
        let body = self.body.replacen(Self::NUMBER, &call.to_string(), 1);
        let request = client.post(&self.url).header("content-type", "application/json").body(body);
        let request = self.accept.into_iter().fold(request, |request, accept| request.header("accept", accept));
        let request = self.within.into_iter().fold(request, RequestBuilder::timeout);
        self.token.into_iter().fold(request, RequestBuilder::bearer_auth)
    }

    fn is_answer(&self, _: u32, status: u16, body: &str) -> bool {
        status == 200 && body.contains(self.answered)
    }
}
