//! Calls under a fault, and what is checked of each row: the answers, the records, and what the process holds.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use serde_json::Value;
use tests::{
    fault_server::{Act, FAULTY, FaultServer, GOOD, Point, answer_to},
    load::{Got, Load},
    mcp::CallResult,
    memory::{self, Held},
    program::Running,
    waiting,
};

use super::table::{CALLS, Case, Expected};

/// Calls in flight: fewer than one address may have connections where a process has 1024 descriptors.
const AT_A_TIME: usize = 200;
/// Most descriptors of a process that works on nothing: its ports, files, and a few connections to the brain.
const DESCRIPTORS: usize = 32;
/// Threads that come and go: those that block end 10 s after their last work.
const THREADS_SPARE: u64 = 8;
/// Tasks that come and go: of this question's connection, and of what is done from time to time.
const TASKS_SPARE: f64 = 4.0;
/// Memory that an allocator may keep for the next burst.
const MIB_SPARE: f64 = 40.0;
/// After so many rows threads are started and memory is taken; what is held then is the measure.
const WARM_ROWS: usize = 5;

/// In the log line of a record.
const DECIDED: &str = r#""message":"decided""#;

/// An attempt of a call, as an answer or a record names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    decision: String,
    /// Empty: it answered.
    error: String,
}

impl Attempt {
    fn of(decision: &Value, error: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        Self { decision: text(decision), error: text(error) }
    }

    fn is(&self, decision: &str, error: &str) -> bool {
        self.decision == decision && self.error == error
    }
}

impl Expected {
    fn fails_with(self, attempt: &Attempt, decision: &str) -> bool {
        match self {
            Self::Answered => false,
            Self::Error(kind) | Self::AnsweredOr(kind) => attempt.is(decision, kind),
            Self::Either(one, other) => attempt.is(decision, one) || attempt.is(decision, other),
        }
    }

    /// Without a fallback.
    fn allows(self, attempt: &Attempt, decision: &str) -> bool {
        matches!(self, Self::Answered | Self::AnsweredOr(_)) && attempt.is(decision, "")
    }
}

fn counted(attempts: impl IntoIterator<Item = Attempt>) -> BTreeMap<Attempt, usize> {
    let mut counts = BTreeMap::new();
    attempts.into_iter().for_each(|attempt| *counts.entry(attempt).or_default() += 1);
    counts
}

/// A data plane under one fault after the other.
pub struct Campaign {
    routing: Running,
    next: usize,
    /// How much of the log has been read.
    read: u64,
    ids: HashSet<String>,
    rows: usize,
    /// Calls of a row.
    calls: usize,
    before: Held,
    /// Tasks before the first call.
    tasks: f64,
}

impl Campaign {
    pub fn of(routing: Running) -> Self {
        let before = routing.held();
        Self { routing, next: 0, read: 0, ids: HashSet::new(), rows: 0, calls: CALLS, before, tasks: 0.0 }
    }

    /// With so many calls of a row.
    pub fn calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// The data plane.
    pub fn routing(&self) -> &Running {
        &self.routing
    }

    /// The local model has the fault, and Claude answers.
    pub async fn local(&mut self, case: &Case, server: &FaultServer) {
        let attempts = self.load(case, |number, result| {
            assert!(!result.is_error() && result.text(0) == answer_to(number), "{}: {result:?}", case.name);
        });
        let attempts = attempts.await;
        for attempts in &attempts {
            let right = match &attempts[..] {
                [local] => case.expected.allows(local, "local"),
                [local, claude] => case.expected.fails_with(local, "local") && claude.is("claude_fallback", ""),
                _ => false,
            };
            assert!(right, "{}: {attempts:?}", case.name);
        }
        self.recorded(case, &attempts).await;
        let fell_back = attempts.iter().filter(|attempts| attempts.len() == 2).count();
        let (asked_local, asked_claude) = server.asked();
        // What breaks a connection after its answer may break the next request on it before it is read.
        let unread = if case.fault.at == Point::AfterBody { fell_back } else { 0 };
        let right = (attempts.len() - unread..=attempts.len()).contains(&asked_local) && asked_claude == fell_back;
        assert!(right, "{}: {asked_local} and {asked_claude} requests of {} calls", case.name, attempts.len());
    }

    /// Both models have the fault.
    pub async fn both(&mut self, case: &Case, server: &FaultServer) {
        let named = [format!("local ({FAULTY}): "), format!("claude_fallback ({GOOD}): ")];
        let attempts = self.load(case, |_, result| {
            let both = named.iter().all(|named| result.text(0).contains(named));
            assert!(result.is_error() && both, "{}: {result:?}", case.name);
        });
        let attempts = attempts.await;
        for attempts in &attempts {
            let [local, claude] = &attempts[..] else { panic!("{}: {attempts:?}", case.name) };
            let fails = case.expected.fails_with(local, "local") && case.expected.fails_with(claude, "claude_fallback");
            assert!(fails, "{}: {attempts:?}", case.name);
        }
        self.recorded(case, &attempts).await;
        let (asked, expected) = (server.asked().0, 2 * attempts.len());
        // Of connections that get no answer there may be more, which nobody needed after all.
        let right = asked == expected || case.fault.at == Point::Accepted && asked > expected;
        assert!(right, "{}: asked {asked} times for {expected} attempts", case.name);
    }

    /// Claude alone is asked, and fails or answers. Returns how many calls failed.
    pub async fn claude(&mut self, case: &Case) -> usize {
        let named = format!("claude ({FAULTY}): ");
        let attempts = self.load(case, |number, result| {
            let fits =
                if result.is_error() { result.text(0).contains(&named) } else { result.text(0) == answer_to(number) };
            assert!(fits, "{}: {result:?}", case.name);
        });
        let attempts = attempts.await;
        let mut failed = 0;
        for attempts in &attempts {
            let [claude] = &attempts[..] else { panic!("{}: {attempts:?}", case.name) };
            let fails = case.expected.fails_with(claude, "claude");
            assert!(fails || case.expected.allows(claude, "claude"), "{}: {attempts:?}", case.name);
            failed += usize::from(fails);
        }
        self.recorded(case, &attempts).await;
        failed
    }

    /// Claude alone is asked, and has the fault.
    pub async fn claude_at(&mut self, case: &Case, server: &FaultServer) {
        let failed = self.claude(case).await;
        let asked = server.asked().0;
        // What breaks a connection after its answer may break the next request on it before it is read, and what has no end
        // may end the attempt before it is sent. Of connections that get no answer there may be more.
        let may_be_unread = case.fault.at == Point::AfterBody || matches!(case.fault.act, Act::Hang | Act::Drip);
        let least = self.calls - if may_be_unread { failed } else { 0 };
        let right = (least..=self.calls).contains(&asked) || case.fault.at == Point::Accepted;
        assert!(right, "{}: asked {asked} times for {} calls", case.name, self.calls);
    }

    /// Makes the calls of a row; each has one result, which `check` looks at. Returns the attempts that each names.
    async fn load(&mut self, case: &Case, mut check: impl FnMut(usize, &CallResult)) -> Vec<Vec<Attempt>> {
        if self.next == 0 {
            self.tasks = self.tasks_now().await;
        }
        let numbers = self.next..self.next + self.calls;
        self.next = numbers.end;
        let (mut attempts, mut answered) = (vec![], HashSet::new());
        let began = Instant::now();
        let load = Load::of(&self.routing.mcp_url());
        load.calls(numbers, AT_A_TIME, |number, got| {
            let Got::Result(result) = got else { panic!("{}: call {number}: {got:?}", case.name) };
            assert!(answered.insert(number));
            check(number, &result);
            let made = result.decisions("decision").into_iter().zip(result.decisions("error"));
            attempts.push(made.map(|(decision, error)| Attempt::of(&decision, &error)).collect());
        })
        .await;
        assert_eq!(attempts.len(), self.calls, "{}", case.name);
        println!("{}: {} calls in {:.1} s", case.name, self.calls, began.elapsed().as_secs_f64());
        attempts
    }

    /// There is exactly one record of each attempt that the answers name.
    async fn recorded(&mut self, case: &Case, attempts: &[Vec<Attempt>]) {
        let expected = counted(attempts.iter().flatten().cloned());
        let count: usize = expected.values().sum();
        let log = waiting::until("the records", || async {
            let log = self.routing.log_after(self.read);
            (log.matches(DECIDED).count() >= count && log.ends_with('\n')).then_some(log)
        })
        .await;
        self.read += log.len() as u64;
        let mut recorded = vec![];
        for line in log.lines().filter(|line| line.contains(DECIDED)) {
            let record: Value = serde_json::from_str(line).expect("a line of JSON");
            assert!(self.ids.insert(record["id"].to_string()), "{}: a record twice: {line}", case.name);
            recorded.push(Attempt::of(&record["decision"], &record["error"]));
        }
        assert_eq!(counted(recorded), expected, "{}: the records", case.name);
        assert!(!log.contains("CANARY"), "{}: what an endpoint says is in no log", case.name);
        self.rows += 1;
        if self.rows == WARM_ROWS {
            self.before = self.idle().await;
        }
    }

    async fn tasks_now(&self) -> f64 {
        self.routing.metric("routing_tasks").await
    }

    /// What the process holds once its connections to models and callers, and the threads that they took, have ended.
    async fn idle(&self) -> Held {
        let settled = waiting::until("connections to end", || async {
            let held = self.routing.held();
            let calm = held.descriptors <= DESCRIPTORS && held.threads <= self.before.threads + THREADS_SPARE;
            calm.then_some(held)
        });
        settled.await
    }

    /// The process runs, works on nothing, and holds what it held after the first rows, or at its start if there were few.
    pub async fn leaves_nothing_behind(self) {
        let (before, after) = (self.before, self.idle().await);
        println!("held before: {before:?}; at the end: {after:?}; peak {} MiB", self.routing.peak_mib());
        assert!(self.routing.peak_mib() < memory::DATA_PLANE_MIB, "{} MiB", self.routing.peak_mib());
        assert_eq!(self.routing.metric("routing_in_flight_calls").await, 0.0);
        if self.next > 0 {
            let ended = || async { self.tasks_now().await <= self.tasks + TASKS_SPARE };
            waiting::until_true("the tasks of calls and connections to end", ended).await;
        }
        assert_eq!(self.routing.metric("routing_log_lines_dropped_total").await, 0.0, "the log is whole");
        assert!(after.mib() <= before.mib() + MIB_SPARE, "{before:?} {after:?}");
    }
}
