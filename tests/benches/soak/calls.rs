//! The calls of a minute, and which answers are right.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tests::{
    fault_server::{ANSWERED, FAULTY, answer_to, marker},
    mcp::CallResult,
    open_loop::{Call, Target},
    program::Running,
};

/// Calls with a prompt of the usual size, another one each time.
pub struct Calls {
    url: String,
    /// The number of the first one.
    first: usize,
    both_failed: AtomicUsize,
}

impl Calls {
    /// Calls whose numbers begin with this one: by its number a call has its faults.
    pub fn from(first: usize, routing: &Running) -> Self {
        Self { url: routing.mcp_url(), first, both_failed: AtomicUsize::new(0) }
    }

    fn number(&self, call: u32) -> usize {
        self.first + call as usize
    }

    /// How many had the one error that is right when both models fail.
    pub fn both_failed(&self) -> usize {
        self.both_failed.load(Ordering::Relaxed)
    }
}

impl Target for Calls {
    fn request(&self, client: &Client, call: u32) -> RequestBuilder {
        let problem = format!("{} {}", marker(self.number(call)), "it fails. ".repeat(200));
        Call::debug(&self.url, &problem, ANSWERED).request(client, call)
    }

    /// The good answer to this very call, or the error that names both attempts.
    fn is_answer(&self, call: u32, status: u16, body: &str) -> bool {
        let Some(result) = result_of(status, body) else { return false };
        if names_both(&result) {
            self.both_failed.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        !result.is_error() && result.text(0) == answer_to(self.number(call))
    }
}

/// The result of a well-formed answer.
fn result_of(status: u16, body: &str) -> Option<CallResult> {
    let message: Value = serde_json::from_str(body).ok().filter(|_| status == 200)?;
    let is_answer = message["jsonrpc"] == "2.0" && message["id"] == 1 && message.get("error").is_none();
    message.get("result").filter(|_| is_answer).cloned().map(CallResult)
}

fn names_both(result: &CallResult) -> bool {
    let named = [format!("local ({FAULTY}): "), format!("claude_fallback ({FAULTY}): ")];
    result.is_error() && named.iter().all(|attempt| result.text(0).contains(attempt))
}
