//! Requests to a brain: ours, or any other that follows `contract` parts 3 and 4.

mod declared;
mod entries;
mod error;
mod known;
pub mod prompt_entry;
mod rate_query;
mod report;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crds::{shown::printable, table::BrainTarget};
use endpoint::{method::LIST, trace::TraceContext};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use self::{
    declared::{Declared, declared},
    prompt_entry::prompt_entry,
};
pub use self::{
    error::BrainError,
    known::{KnownAgreement, KnownDecision, KnownModel, KnownRate, KnownSkill},
    rate_query::RateQuery,
    report::{KnownArm, KnownBefore, KnownFigures, KnownReport, KnownSaved, KnownSkillReport},
};
use crate::{
    decide::Measured,
    http_client::{self, BodyError},
    upstream::bearer,
};

/// `contract` part 3.
const PASS_RATE_TIMEOUT: Duration = Duration::from_secs(1);
/// `contract` part 4.
const LOG_TIMEOUT: Duration = Duration::from_secs(2);
/// For a person at a terminal: longer than our brain waits for its own disk.
const PATIENT_LOG_TIMEOUT: Duration = Duration::from_secs(30);
/// Short, because a prompt can do without a session's entries.
const SESSION_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer of a pass rate or a log entry, in bytes.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// Largest list of a session's entries, in bytes.
const SESSION_MAX_BYTES: usize = 8 * 1024 * 1024;
/// How long it is remembered which arguments the brain's `session_log` declares.
const SCHEMA_TTL: Duration = Duration::from_secs(300);
/// Time until the next query for these arguments after one that failed.
const SCHEMA_RETRY: Duration = Duration::from_secs(30);
/// Largest body that says why there is no answer, in bytes.
const REFUSAL_MAX_BYTES: usize = 16 * 1024;
/// Characters of a refusal's reason that are shown, at most.
const REASON_SHOWN: usize = 300;
/// What is wrong with a brain that keeps no answers, and what to do.
pub const NO_REVIEWS: &str = "the brain keeps none: its session_log has no argument review; run a brain of this version, or \
    remove review from the policy";
/// Of each JSON-RPC request, which is the only one of its HTTP request.
const REQUEST_ID: u8 = 1;
/// Entries of a session that go into a prompt, at most: the latest.
const SESSION_ENTRIES_MAX: usize = 200;

/// A client of one brain. It remembers which arguments the brain's `session_log` declares.
pub struct BrainClient {
    base: Url,
    authorization: Option<HeaderValue>,
    client: Client,
    log_timeout: Duration,
    declared: Mutex<Option<(Instant, Declared)>>,
    lacks_reviews: AtomicBool,
    retired: AtomicBool,
    /// The latest request got no answer.
    unanswered: AtomicBool,
    /// When it answered last; none if it never did.
    answered_at: Mutex<Option<Instant>>,
}

impl BrainClient {
    /// A client of `target`. A token that an HTTP header cannot carry counts as none.
    pub fn new(target: &BrainTarget, token: Option<&SecretString>, client: Client) -> Self {
        let authorization = token.and_then(bearer);
        Self {
            base: target.url.clone(),
            authorization,
            client,
            log_timeout: LOG_TIMEOUT,
            declared: Mutex::default(),
            lacks_reviews: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            unanswered: AtomicBool::new(false),
            answered_at: Mutex::default(),
        }
    }

    /// The same with more time, for a person who waits: giving up on a slow write would make them report it twice.
    pub fn patient(self) -> Self {
        Self { log_timeout: PATIENT_LOG_TIMEOUT, ..self }
    }

    /// The pass rate of a skill. A brain that does not tell the models apart gives that of all its answers.
    ///
    /// # Errors
    /// Anything but 200 with a rate that is null or a number from 0 to 1, within a second.
    pub async fn pass_rate(
        &self,
        skill: &str,
        query: &RateQuery,
        within: Option<&TraceContext>,
    ) -> Result<Measured, BrainError> {
        let request = self.client.get(self.url("/pass-rate")).query(&query.parameters(skill));
        let body = self.json(traced(request, within).timeout(PASS_RATE_TIMEOUT), ANSWER_MAX_BYTES).await?;
        let measured = measured(&body)?;
        Ok(Measured { arms: measured.arms.filter(|_| query.tells_models_apart()), ..measured })
    }

    /// Whether the brain's `session_log` declares the arguments `decision` and `decision_id`; false if it does
    /// not answer.
    pub async fn takes_decisions(&self) -> bool {
        self.declared().await.decisions
    }

    /// Whether the brain's `session_log` declares the arguments `source` and `decision_id`; false if it does not answer.
    pub async fn takes_sources(&self) -> bool {
        self.declared().await.sources
    }

    /// Whether the brain's `session_log` declares the arguments `usage` and `decision_id`; false if it does not answer.
    pub async fn takes_usage(&self) -> bool {
        self.declared().await.usage
    }

    /// Whether the brain keeps answers: its `session_log` declares `review`, beside `decision`. None: it does not answer.
    pub async fn takes_reviews(&self) -> Option<bool> {
        self.declared().await.reviews
    }

    /// Whether the brain takes several records in one request; false if it does not answer.
    pub async fn takes_several(&self) -> bool {
        self.declared().await.several
    }

    /// Notes that the policy has another brain now.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more should be sent: the policy has another brain now, and this one does not answer.
    pub fn is_given_up(&self) -> bool {
        self.retired.load(Ordering::Relaxed) && self.unanswered.load(Ordering::Relaxed)
    }

    /// Notes that the brain keeps no answers; true the first time.
    pub fn lacks_reviews_anew(&self) -> bool {
        !self.lacks_reviews.swap(true, Ordering::Relaxed)
    }

    async fn declared(&self) -> Declared {
        if let Some(known) = self.known_schema() {
            return known;
        }
        let body = self.json(self.rpc(LIST, &json!({})), ANSWER_MAX_BYTES).await;
        // A brain that does not answer now takes what it took before.
        let (declared, ttl) = body.map_or((self.last_schema(), SCHEMA_RETRY), |body| (declared(&body), SCHEMA_TTL));
        self.note_schema(declared, ttl);
        declared
    }

    fn known_schema(&self) -> Option<Declared> {
        let known = self.declared.lock().ok()?;
        known.filter(|(until, _)| Instant::now() < *until).map(|(_, declared)| declared)
    }

    /// What it declared last, however long ago; nothing if it never did.
    fn last_schema(&self) -> Declared {
        self.declared.lock().ok().and_then(|known| *known).map(|(_, declared)| declared).unwrap_or_default()
    }

    /// Notes that the brain refused an entry with a record after all: for a while it gets only the
    /// contract's arguments.
    pub fn takes_no_decisions(&self) {
        self.note_schema(Declared { decisions: false, several: false, ..self.last_schema() }, SCHEMA_TTL);
    }

    fn note_schema(&self, declared: Declared, for_the_next: Duration) {
        if let Ok(mut known) = self.declared.lock() {
            *known = Some((Instant::now() + for_the_next, declared));
        }
    }

    /// The latest entries of a session, oldest first; none for sessions such as `_routing`, which hold what other
    /// callers did.
    ///
    /// # Errors
    /// The request failed, or the answer has no list of entries.
    pub async fn session(&self, session_id: &str) -> Result<Vec<Value>, BrainError> {
        let Some(mut url) = self.session_url(session_id) else { return Ok(vec![]) };
        url.set_query(Some(&format!("limit={SESSION_ENTRIES_MAX}")));
        let mut body = self.json(self.client.get(url).timeout(SESSION_TIMEOUT), SESSION_MAX_BYTES).await?;
        let Some(Value::Array(mut entries)) = body.get_mut("entries").map(Value::take) else {
            return Err(BrainError::Malformed("a list of entries"));
        };
        entries.drain(..entries.len().saturating_sub(SESSION_ENTRIES_MAX));
        Ok(entries.iter().map(prompt_entry).collect())
    }

    /// The URL of a caller's session; none if it is not a caller's. Checked as it is sent: a URL drops tabs and line ends,
    /// and the segments `.` and `..`.
    fn session_url(&self, session_id: &str) -> Option<Url> {
        let mut url = self.url("/sessions");
        let segments = url.path_segments()?.count();
        url.path_segments_mut().ok()?.push(session_id);
        let sent: Vec<&str> = url.path_segments()?.collect();
        let own = sent.len() > segments && sent.last().is_some_and(|id| !id.is_empty() && !id.starts_with('_'));
        own.then_some(url)
    }

    /// The URL of a path of the brain's, which begins with a slash.
    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", endpoint::base_path(self.base.path())));
        url
    }

    fn rpc(&self, method: &str, params: &impl Serialize) -> RequestBuilder {
        self.client
            .post(self.url(endpoint::PATH))
            .header(ACCEPT, "application/json, text/event-stream")
            .timeout(self.log_timeout)
            .json(&Rpc { jsonrpc: "2.0", id: REQUEST_ID, method, params })
    }

    async fn json(&self, request: RequestBuilder, max_bytes: usize) -> Result<Value, BrainError> {
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK => Self::body(response, max_bytes).await,
            StatusCode::SERVICE_UNAVAILABLE => {
                let said = Self::body(response, REFUSAL_MAX_BYTES).await.unwrap_or_default();
                let message = said["error"]["message"].as_str().or_else(|| said["error"].as_str());
                let reason = message.map(|message| printable(message, REASON_SHOWN));
                Err(BrainError::Unavailable { reason: reason.unwrap_or_else(|| "it says no reason".into()) })
            }
            other => Err(BrainError::Status(other.as_u16())),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, BrainError> {
        let request = match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        };
        let answer = request.send().await;
        self.unanswered.store(answer.is_err(), Ordering::Relaxed);
        if answer.is_ok()
            && let Ok(mut at) = self.answered_at.lock()
        {
            *at = Some(Instant::now());
        }
        answer.map_err(|error| if error.is_connect() { BrainError::NotConnected } else { BrainError::Unreachable })
    }

    /// Whether it answered so lately that it may be starting again.
    fn answered_lately(&self) -> bool {
        let at = self.answered_at.lock().ok().and_then(|at| *at);
        at.is_some_and(|at| at.elapsed() < LOG_TIMEOUT)
    }

    async fn body(response: Response, max_bytes: usize) -> Result<Value, BrainError> {
        let body = http_client::read_bounded(response, max_bytes).await.map_err(|error| match error {
            BodyError::Transport(_) => BrainError::Unreachable,
            BodyError::TooLarge => BrainError::Malformed("a short answer"),
        })?;
        json_of(&body)
    }
}

/// A JSON-RPC request.
#[derive(Serialize)]
struct Rpc<'a, P> {
    jsonrpc: &'static str,
    id: u8,
    method: &'a str,
    params: &'a P,
}

fn traced(request: RequestBuilder, within: Option<&TraceContext>) -> RequestBuilder {
    let headers = within.into_iter().flat_map(TraceContext::headers);
    headers.fold(request, |request, (name, value)| request.header(name, value))
}

/// What a body of `/pass-rate` says.
///
/// # Errors
/// It is not JSON, or its rate is neither null nor a number from 0 to 1.
pub fn read_pass_rate(body: &[u8]) -> Result<Measured, BrainError> {
    measured(&json_of(body)?)
}

/// The JSON of a body.
fn json_of(body: &[u8]) -> Result<Value, BrainError> {
    serde_json::from_slice(unwrapped(body)).map_err(|_| BrainError::Malformed("JSON"))
}

/// The body; MCP servers may wrap it in an event of a stream, of which it is the last.
fn unwrapped(body: &[u8]) -> &[u8] {
    let mut lines = body.split(|b| *b == b'\n').rev();
    let data = lines.find_map(|line| line.strip_prefix(b"data:").filter(|data| data.contains(&b'{')));
    if body.trim_ascii_start().starts_with(b"{") { body } else { data.unwrap_or(body) }
}

/// Reads `{"pass_rate": 0.94 | null, …}`. Samples are pass + fail if both are there, otherwise total,
/// otherwise unknown.
fn measured(body: &Value) -> Result<Measured, BrainError> {
    let malformed = BrainError::Malformed("a pass_rate from 0 to 1 or null");
    let pass_rate = match body.get("pass_rate") {
        Some(Value::Null) => None,
        Some(rate) => Some(rate_query::share(rate).ok_or(malformed)?),
        None => return Err(malformed),
    };
    let samples = rate_query::judged(body).or_else(|| body.get("total").and_then(Value::as_u64));
    Ok(Measured { pass_rate, samples, arms: rate_query::arms(body) })
}

#[cfg(test)]
mod tests;
