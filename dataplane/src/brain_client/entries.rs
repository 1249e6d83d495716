//! Entries of the brain's log: one in a request, which every brain takes, or several records of decisions.

use brain::entry::{LOGGED, RETRYABLE, SEVERAL};
use crds::shown::printable;
use endpoint::{method::CALL, trace::TraceContext};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use super::{ANSWER_MAX_BYTES, BrainClient, BrainError, Declared, REASON_SHOWN, REQUEST_ID, SCHEMA_TTL, traced};

/// Time until the next attempt to connect to a brain that may be starting again.
const AGAIN: Duration = Duration::from_millis(100);

/// The call of a tool.
#[derive(Serialize)]
struct Call<A> {
    name: &'static str,
    arguments: A,
}

/// The arguments of [`SEVERAL`].
#[derive(Serialize)]
struct Several<'a, E> {
    entries: &'a [E],
}

/// Why an entry was not logged, by what the brain says of it.
fn error_of(reason: &str, is_failure: bool) -> BrainError {
    let reason = printable(reason, REASON_SHOWN);
    if is_failure { BrainError::Failed { reason } } else { BrainError::Refused { reason } }
}

impl BrainClient {
    /// Calls the tool `session_log`.
    ///
    /// # Errors
    /// The brain did not accept the entry within two seconds (30 if `patient`).
    pub async fn session_log(&self, arguments: &impl Serialize) -> Result<Value, BrainError> {
        self.session_log_within(None, arguments).await
    }

    /// As [`Self::session_log`], within a trace.
    ///
    /// # Errors
    /// As [`Self::session_log`].
    pub async fn session_log_within(
        &self,
        within: Option<&TraceContext>,
        arguments: &impl Serialize,
    ) -> Result<Value, BrainError> {
        self.call(within, &Call { name: "session_log", arguments }).await
    }

    /// Logs several records in one request, of a brain that [takes them](Self::takes_several); for each whether it was
    /// logged, in their order.
    ///
    /// # Errors
    /// None is known to be logged.
    pub async fn session_log_several(
        &self,
        entries: &[impl Serialize],
    ) -> Result<Vec<Result<(), BrainError>>, BrainError> {
        let body = self.call(None, &Call { name: SEVERAL, arguments: Several { entries } }).await?;
        let logged = body["result"]["_meta"][LOGGED].as_array().filter(|logged| logged.len() == entries.len());
        let logged = logged.ok_or(BrainError::Malformed("one result for each entry"))?;
        let told = |logged: &Value| {
            let refused = || error_of(logged["error"].as_str().unwrap_or_default(), logged[RETRYABLE] == true);
            if logged["id"].is_string() { Ok(()) } else { Err(refused()) }
        };
        Ok(logged.iter().map(told).collect())
    }

    async fn call(&self, within: Option<&TraceContext>, call: &impl Serialize) -> Result<Value, BrainError> {
        let body = self.asked(within, call).await?;
        let Some(reason) = refusal(&body) else { return acknowledged(body) };
        Err(error_of(reason, body.pointer("/result/_meta").is_some_and(|meta| meta[RETRYABLE] == true)))
    }

    /// Asks again while no connection is made to a brain that answered a moment ago: it may be starting again, and what was
    /// not sent cannot be logged twice. All of it within the time of one request; a brain that is away for longer costs each
    /// further entry one attempt.
    async fn asked(&self, within: Option<&TraceContext>, call: &impl Serialize) -> Result<Value, BrainError> {
        let until = Instant::now() + self.log_timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let request = traced(self.rpc(CALL, call), within).timeout(left);
            match self.json(request, ANSWER_MAX_BYTES).await {
                Err(BrainError::NotConnected) if self.answered_lately() && left > AGAIN => sleep(AGAIN).await,
                told => return told,
            }
        }
    }

    /// Notes that the brain takes no several records after all.
    pub fn takes_one_at_a_time(&self) {
        self.note_schema(Declared { several: false, ..self.last_schema() }, SCHEMA_TTL);
    }
}

/// Why an entry was refused: a JSON-RPC error, or a tool error.
fn refusal(body: &Value) -> Option<&str> {
    let rpc_error = body.get("error").map(|error| error.get("message"));
    let tool_error =
        (body.pointer("/result/isError") == Some(&Value::Bool(true))).then(|| body.pointer("/result/content/0/text"));
    rpc_error.or(tool_error).map(|reason| reason.and_then(Value::as_str).unwrap_or("no reason given"))
}

/// An answer that refuses nothing, if it is one to the request. What it has besides is each brain's own.
fn acknowledged(body: Value) -> Result<Value, BrainError> {
    let is_result = body.get("result").is_some() && body["id"] == REQUEST_ID;
    if is_result { Ok(body) } else { Err(BrainError::Malformed("a JSON-RPC result for the request")) }
}

#[cfg(test)]
mod tests;
