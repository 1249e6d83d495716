//! A brain that behaves as a test specifies: it answers with any rate, late, or not at all, and keeps what it receives.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::Server;

/// How it answers `/pass-rate`.
#[derive(Clone, Debug)]
pub enum PassRate {
    /// 200 with this body.
    Body(String),
    /// This HTTP status, with an empty body.
    Status(u16),
    /// 200 with a rate of 0.1, after this long.
    After(Duration),
}

/// What it has received.
#[derive(Default)]
struct Heard {
    pass_rates: Vec<String>,
    entries: Vec<Value>,
    authorizations: Vec<String>,
}

/// Which arguments its `session_log` declares beyond those of `contract` part 4.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Declares {
    Nothing,
    Decision,
    DecisionAndSource,
}

struct Shared {
    pass_rate: Mutex<PassRate>,
    log_delay: Mutex<Duration>,
    declares: Declares,
    heard: Mutex<Heard>,
}

/// The running stand-in.
pub struct Brain {
    server: Server,
    shared: Arc<Shared>,
}

impl Brain {
    /// A brain whose `session_log` knows only the arguments of `contract` part 4.
    pub async fn start(pass_rate: PassRate) -> Self {
        Self::with(pass_rate, Declares::Nothing).await
    }

    /// A brain whose `session_log` declares `decision`, too.
    pub async fn that_takes_decisions(pass_rate: PassRate) -> Self {
        Self::with(pass_rate, Declares::Decision).await
    }

    /// A brain whose `session_log` declares `decision` and `source`.
    pub async fn that_takes_verdicts(pass_rate: PassRate) -> Self {
        Self::with(pass_rate, Declares::DecisionAndSource).await
    }

    async fn with(pass_rate: PassRate, declares: Declares) -> Self {
        let shared = Arc::new(Shared {
            pass_rate: Mutex::new(pass_rate),
            log_delay: Mutex::default(),
            declares,
            heard: Mutex::default(),
        });
        let routes = Router::new()
            .route("/pass-rate", get(answer_pass_rate))
            .route("/mcp", post(answer_mcp))
            .with_state(Arc::clone(&shared));
        Self { server: Server::start(routes).await, shared }
    }

    /// An answer with this rate, which is JSON: a number or `null`.
    #[must_use]
    pub fn rate(rate: &str) -> PassRate {
        PassRate::Body(format!(r#"{{"skill":"x","pass_rate":{rate},"total":53}}"#))
    }

    /// An answer that tells the models apart: passes and fails of the local model, and of Claude.
    #[must_use]
    pub fn of_models(local: (u64, u64), claude: (u64, u64)) -> PassRate {
        let rate = |(pass, fail): (u64, u64)| (pass + fail > 0).then(|| pass as f64 / (pass + fail) as f64);
        let arm = |counts: (u64, u64)| json!({"pass_rate": rate(counts), "pass": counts.0, "fail": counts.1});
        let verdicts = local.0 + local.1 + claude.0 + claude.1;
        let body = json!({"skill": "x", "window": "7d", "pass_rate": rate(local), "pass": local.0, "fail": local.1,
            "total": verdicts, "claude": arm(claude), "sources": {"human": verdicts}, "decisions": 2 * verdicts,
            "since": null, "held": false, "held_age_ms": null});
        PassRate::Body(body.to_string())
    }

    /// The same answer, from outcomes that are older than the window by their age in milliseconds.
    ///
    /// # Panics
    /// If it is not an answer with a body.
    #[must_use]
    pub fn held(answer: PassRate, age_ms: u64) -> PassRate {
        let PassRate::Body(body) = answer else { panic!("no body") };
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        (body["held"], body["held_age_ms"]) = (json!(true), json!(age_ms));
        PassRate::Body(body.to_string())
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Changes the answer of `/pass-rate`.
    ///
    /// # Panics
    /// If a handler panicked.
    pub fn answer(&self, pass_rate: PassRate) {
        *self.shared.pass_rate.lock().expect("no handler panics") = pass_rate;
    }

    /// Delays every further entry by this long.
    ///
    /// # Panics
    /// If a handler panicked.
    pub fn take_entries_after(&self, delay: Duration) {
        *self.shared.log_delay.lock().expect("no handler panics") = delay;
    }

    /// The queries of `/pass-rate` so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn pass_rates_asked(&self) -> Vec<String> {
        self.shared.heard.lock().expect("no handler panics").pass_rates.clone()
    }

    /// The JSON-RPC messages that called `session_log` so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        self.shared.heard.lock().expect("no handler panics").entries.clone()
    }

    /// The `message` of every entry so far.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let message = |entry: &Value| entry["params"]["arguments"]["message"].as_str().unwrap_or_default().to_string();
        self.entries().iter().map(message).collect()
    }

    /// The arguments of the verdicts on decisions so far.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Value> {
        let arguments = self.entries().into_iter().map(|entry| entry["params"]["arguments"].clone());
        arguments.filter(|arguments| arguments["phase"] == "outcome").collect()
    }

    /// The Authorization headers so far.
    ///
    /// # Panics
    /// If a handler panicked.
    #[must_use]
    pub fn authorizations(&self) -> Vec<String> {
        self.shared.heard.lock().expect("no handler panics").authorizations.clone()
    }
}

async fn answer_pass_rate(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    note_authorization(&shared, &headers);
    shared.heard.lock().expect("no handler panics").pass_rates.push(uri.query().unwrap_or_default().into());
    let pass_rate = shared.pass_rate.lock().expect("no handler panics").clone();
    match pass_rate {
        PassRate::Body(body) => body.into_response(),
        PassRate::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        PassRate::After(delay) => {
            tokio::time::sleep(delay).await;
            r#"{"pass_rate":0.1}"#.into_response()
        }
    }
}

async fn answer_mcp(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    note_authorization(&shared, &headers);
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    if message["method"] == "tools/list" {
        let mut properties = json!({"message": {"type": "string"}});
        if shared.declares != Declares::Nothing {
            properties = json!({"decision": {"type": "object"}, "decision_id": {"type": "string"}});
        }
        if shared.declares == Declares::DecisionAndSource {
            properties["source"] = json!({"type": "string"});
        }
        let tool = json!({"name": "session_log", "inputSchema": {"type": "object", "properties": properties}});
        return json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}}).to_string().into_response();
    }
    let delay = *shared.log_delay.lock().expect("no handler panics");
    tokio::time::sleep(delay).await;
    shared.heard.lock().expect("no handler panics").entries.push(message);
    json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}).to_string().into_response()
}

fn note_authorization(shared: &Shared, headers: &HeaderMap) {
    let value = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    shared.heard.lock().expect("no handler panics").authorizations.push(value.into());
}
