//! Calls at a steady rate, whether answers come or not, as from many callers; each answer is checked against its call.
//!
//! They go only to 127.0.0.1, and end by themselves.

use std::{
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tests::stand_in::model_pod;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longest time of a run.
const LONGEST: Duration = Duration::from_secs(900);
/// MCP clients give up after this long.
const CALLER_WAITS: Duration = Duration::from_secs(300);

/// What is called, how often, and how long the slow ones take.
pub struct Plan {
    /// Port of 127.0.0.1.
    pub port: u16,
    /// Bearer token.
    pub token: Option<&'static str>,
    /// Calls a second.
    pub per_second: u32,
    /// One call in this many is slow; 0: none.
    pub slow_one_in: u64,
    /// How long those take.
    pub slow: Duration,
}

/// Calls in progress.
pub struct Load {
    stop: CancellationToken,
    thread: JoinHandle<Report>,
    failed: Arc<Mutex<Vec<String>>>,
}

/// The results of the calls.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were made.
    pub sent: u64,
    /// What went wrong, one line for each failed call.
    pub failures: Vec<String>,
    /// Times of those that were not slow, sorted.
    pub times: Vec<Duration>,
    /// How many calls were slow on purpose.
    pub slow: usize,
    /// For how long calls were made.
    pub lasted: Duration,
    /// Whether the longest time of a run ended the calls, and not the test.
    pub ran_out: bool,
    /// The planned calls a second.
    pub per_second: u32,
}

impl Load {
    /// Starts to call.
    pub fn start(plan: Plan) -> Self {
        let (stop, failed) = (CancellationToken::new(), Arc::<Mutex<Vec<String>>>::default());
        let (token, seen) = (stop.clone(), Arc::clone(&failed));
        // A thread of its own: calls continue while a test waits for kubectl.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(plan, token, seen))
        });
        Self { stop, thread, failed }
    }

    /// How many calls failed so far.
    pub fn failures(&self) -> usize {
        self.failed.lock().expect("no call panics").len()
    }

    /// Makes no more calls, waits for the answers of those under way, and reports.
    pub fn end(self) -> Report {
        self.stop.cancel();
        self.thread.join().expect("the calls do not panic")
    }
}

impl Report {
    /// The report as a line.
    pub fn line(&self) -> String {
        let at = |share: f64| self.times.get((self.times.len() as f64 * share) as usize).copied().unwrap_or_default();
        format!(
            "{} calls in {:.0} s, {} of them slow: {} failed; others took p50 {:.1?}, p99 {:.1?}, max {:.1?}",
            self.sent,
            self.lasted.as_secs_f64(),
            self.slow,
            self.failures.len(),
            at(0.5),
            at(0.99),
            self.times.last().copied().unwrap_or_default()
        )
    }

    /// Checks that no call failed, and that hardly any of the planned calls is missing.
    pub fn expect_no_failure(&self) {
        let shown: Vec<&String> = self.failures.iter().take(10).collect();
        assert!(self.failures.is_empty(), "{}\n{shown:#?}", self.line());
        assert!(!self.ran_out, "the calls ended before the test did: {}", self.line());
        let wanted = f64::from(self.per_second) * self.lasted.as_secs_f64();
        assert!(self.sent as f64 > 0.9 * wanted, "{} of {wanted:.0} calls were made", self.sent);
    }
}

async fn run(plan: Plan, stop: CancellationToken, failed: Arc<Mutex<Vec<String>>>) -> Report {
    let plan = Arc::new(plan);
    let callers = [client(true), client(false)];
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / plan.per_second);
    // Open loop: a tick that came late is made up for.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut calls = JoinSet::new();
    let mut report = Report::default();
    while began.elapsed() < LONGEST {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        report.sent += 1;
        let (number, plan, failed) = (report.sent, Arc::clone(&plan), Arc::clone(&failed));
        // Half of the calls reuse connections, also half of the slow ones.
        let keeps = (number + number.checked_div(plan.slow_one_in).unwrap_or_default()) % 2 == 0;
        let caller = callers[usize::from(!keeps)].clone();
        calls.spawn(async move {
            let is_slow = plan.slow_one_in > 0 && number % plan.slow_one_in == 0;
            let sent_at = Instant::now();
            let called = call(&caller, &plan, number, is_slow).await;
            let early = is_slow && called.is_ok() && sent_at.elapsed() < plan.slow;
            if let Err(why) = called.and(if early { Err("answered before its time".into()) } else { Ok(()) }) {
                let (after, took) = (began.elapsed().as_secs_f64(), sent_at.elapsed().as_secs_f64());
                let kept = if keeps { "kept alive" } else { "new connection" };
                let line = format!("call {number} ({kept}), {took:.1} s, until {after:.1} s: {why}");
                failed.lock().expect("no call panics").push(line);
            }
            (is_slow, sent_at.elapsed())
        });
    }
    report.lasted = began.elapsed();
    report.ran_out = !stop.is_cancelled();
    report.per_second = plan.per_second;
    while let Some(done) = calls.join_next().await {
        match done.expect("no call panics") {
            (true, _) => report.slow += 1,
            (false, took) => report.times.push(took),
        }
    }
    report.times.sort();
    report.failures = failed.lock().expect("no call panics").clone();
    report
}

/// One that reuses connections, or one that opens a connection for each call.
fn client(keep: bool) -> Client {
    let _ = tests::http();
    let builder = Client::builder().timeout(CALLER_WAITS).tls_certs_only([]).no_proxy();
    let builder = if keep { builder } else { builder.pool_max_idle_per_host(0) };
    builder.build().expect("a client")
}

async fn call(client: &Client, plan: &Plan, number: u64, is_slow: bool) -> Result<(), String> {
    let own = format!("{}{number}", model_pod::CALL);
    let slow = if is_slow { model_pod::after(plan.slow) } else { String::new() };
    let problem = format!("{own} {slow}");
    let body = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call",
        "params": {"name": "debug", "arguments": {"project_root": "/tmp", "problem": problem}}});
    let url = format!("http://127.0.0.1:{}/mcp", plan.port);
    let mut request = client.post(url).header("content-type", "application/json").body(body.to_string());
    if let Some(token) = plan.token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.map_err(|e| described(&e))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|e| described(&e))?;
    let message: Value = serde_json::from_str(&text).map_err(|e| format!("{status}, not JSON: {e}"))?;
    let said = message["result"]["content"][1]["text"].as_str().unwrap_or_default();
    let is_own = said.split_whitespace().any(|word| word == own);
    if status == StatusCode::OK
        && message["id"] == json!(number)
        && message["result"]["isError"] == json!(false)
        && is_own
    {
        return Ok(());
    }
    Err(format!("{status}: {}", text.chars().take(300).collect::<String>()))
}

fn described(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
