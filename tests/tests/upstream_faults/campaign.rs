//! Calls under a fault, and what is checked of each row: the answers, the records, and what the process holds.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use tests::{
    fault_server::{FAULTY, FaultServer, GOOD, Point, answer_to},
    load::{Got, Load},
    mcp::CallResult,
    memory::{self, Held},
    program::Running,
    waiting,
};

use super::table::{Case, Expected};

/// Calls of each row, unless `ROUTING_FAULT_CALLS` says otherwise.
const CALLS: usize = 1000;
/// Calls in flight: fewer than one address may have connections where a process has 1024 descriptors.
const AT_A_TIME: usize = 200;
/// Descriptors that come and go: connections to the brain, files that are read.
const DESCRIPTORS_SPARE: usize = 16;
/// Threads that come and go: those that block, which end 10 s after their last work.
const THREADS_SPARE: u64 = 32;
/// Memory that an allocator may keep for the next burst. What leaks a page for each call would be more.
const MIB_SPARE: u64 = 64;

/// The faulty model was asked so often; of connections that get no answer there may be more, which nobody needed after all.
pub fn asked_for_each(case: &Case, server: &FaultServer, expected: usize) {
    let (asked, _) = server.asked();
    let right = asked == expected || case.fault.at == Point::Accepted && asked > expected;
    assert!(right, "{}: asked {asked} times for {expected} attempts", case.name);
}

/// Decision and error of a record; no error: the empty text.
type Kinds = BTreeMap<(String, String), usize>;

/// A data plane under one fault after the other.
pub struct Campaign {
    routing: Running,
    calls: usize,
    next: usize,
    /// How much of the log has been read.
    read: u64,
    ids: HashSet<String>,
    idle: Option<Held>,
}

impl Campaign {
    pub fn of(routing: Running) -> Self {
        let calls = std::env::var("ROUTING_FAULT_CALLS").ok().map(|calls| calls.parse().expect("a number of calls"));
        Self { routing, calls: calls.unwrap_or(CALLS), next: 0, read: 0, ids: HashSet::new(), idle: None }
    }

    /// The data plane.
    pub fn routing(&self) -> &Running {
        &self.routing
    }

    /// Calls of each row.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// The local model has the fault, and Claude answers.
    pub async fn local(&mut self, case: &Case, server: &FaultServer) {
        let got = self.load(case, |number, result| {
            assert!(!result.is_error() && result.text(0) == answer_to(number), "{}: {result:?}", case.name);
            result.decisions("error")
        });
        let errors = got.await;
        let fell_back = errors.iter().filter(|errors| errors.len() == 2).count();
        for errors in &errors {
            let right = match case.expected {
                Expected::Answered => errors[..] == [json!(null)],
                Expected::Error(kind) => errors[..] == [json!(kind), json!(null)],
                Expected::AnsweredOr(kind) => errors[..] == [json!(null)] || errors[..] == [json!(kind), json!(null)],
            };
            assert!(right, "{}: {errors:?}", case.name);
        }
        let kind = match case.expected {
            Expected::Answered => "",
            Expected::Error(kind) | Expected::AnsweredOr(kind) => kind,
        };
        self.recorded(
            case,
            &[("local", kind, fell_back), ("local", "", self.calls - fell_back), ("claude_fallback", "", fell_back)],
        )
        .await;
        assert_eq!(server.asked(), (self.calls, fell_back), "{}: requests for each model", case.name);
    }

    /// Both models have the fault.
    pub async fn both(&mut self, case: &Case, server: &FaultServer) {
        let Expected::Error(kind) = case.expected else { panic!("{}: both fail", case.name) };
        let named = [format!("local ({FAULTY}): "), format!("claude_fallback ({GOOD}): ")];
        let errors = self.load(case, |_, result| {
            let both = named.iter().all(|named| result.text(0).contains(named));
            assert!(result.is_error() && both, "{}: {result:?}", case.name);
            result.decisions("error")
        });
        assert!(errors.await.iter().all(|errors| errors[..] == [json!(kind), json!(kind)]), "{}", case.name);
        self.recorded(case, &[("local", kind, self.calls), ("claude_fallback", kind, self.calls)]).await;
        asked_for_each(case, server, 2 * self.calls);
    }

    /// Claude alone is asked, and fails.
    pub async fn claude(&mut self, case: &Case) {
        let Expected::Error(kind) = case.expected else { panic!("{}: it fails", case.name) };
        let named = format!("claude ({FAULTY}): ");
        let errors = self.load(case, |_, result| {
            assert!(result.is_error() && result.text(0).contains(&named), "{}: {result:?}", case.name);
            result.decisions("error")
        });
        let errors = errors.await;
        assert!(errors.iter().all(|errors| errors[..] == [json!(kind)]), "{}: {errors:?}", case.name);
        self.recorded(case, &[("claude", kind, self.calls)]).await;
    }

    /// Makes the calls of a row; each has one result, and `each` says what is of interest in it.
    async fn load(&mut self, case: &Case, mut each: impl FnMut(usize, &CallResult) -> Vec<Value>) -> Vec<Vec<Value>> {
        let numbers = self.next..self.next + self.calls;
        self.next = numbers.end;
        let (mut results, mut answered) = (vec![], HashSet::new());
        let began = std::time::Instant::now();
        let load = Load::of(&self.routing.mcp_url());
        load.calls(numbers, AT_A_TIME, |number, got| {
            let Got::Result(result) = got else { panic!("{}: call {number}: {got:?}", case.name) };
            assert!(answered.insert(number));
            results.push(each(number, &result));
        })
        .await;
        assert_eq!(results.len(), self.calls, "{}", case.name);
        println!("{}: {} calls in {:.1} s", case.name, self.calls, began.elapsed().as_secs_f64());
        results
    }

    /// The records of a row are exactly these: decision, error, how many.
    async fn recorded(&mut self, case: &Case, expected: &[(&str, &str, usize)]) {
        let expected: Kinds = expected
            .iter()
            .filter(|(_, _, count)| *count > 0)
            .map(|(decision, error, count)| (((*decision).into(), (*error).into()), *count))
            .collect();
        let count: usize = expected.values().sum();
        let log = waiting::until("the records", || async {
            let log = self.routing.log_after(self.read);
            (log.matches(r#""message":"decided""#).count() >= count).then_some(log)
        })
        .await;
        self.read += log.len() as u64;
        let mut found = Kinds::new();
        for line in log.lines().filter(|line| line.contains(r#""message":"decided""#)) {
            let record: Value = serde_json::from_str(line).expect("a line of JSON");
            let field = |name: &str| record[name].as_str().unwrap_or_default().to_string();
            assert!(self.ids.insert(field("id")), "{}: a record twice: {line}", case.name);
            *found.entry((field("decision"), field("error"))).or_default() += 1;
        }
        assert_eq!(found, expected, "{}: the records", case.name);
        assert!(!log.contains("CANARY"), "{}: what an endpoint says is in no log", case.name);
        if self.idle.is_none() {
            // After the first row: threads are started and memory is taken.
            self.idle = Some(self.idle().await);
        }
    }

    /// What the process holds once its connections to models and callers have ended.
    async fn idle(&self) -> Held {
        let settled = waiting::until("connections to end", || async {
            let held = self.routing.held();
            (held.descriptors < 64).then_some(held)
        });
        settled.await
    }

    /// The process runs, works on nothing, and holds what it held after the first row.
    pub async fn leaves_nothing_behind(self) {
        let before = self.idle.expect("a row has run");
        let after = self.idle().await;
        println!("held after the first row: {before:?}; at the end: {after:?}; peak {} MiB", self.routing.peak_mib());
        assert!(self.routing.peak_mib() < memory::DATA_PLANE_MIB, "{} MiB", self.routing.peak_mib());
        assert_eq!(self.routing.metric("routing_in_flight_calls").await, 0.0);
        assert_eq!(self.routing.metric("routing_log_lines_dropped_total").await, 0.0, "the log is whole");
        assert!(after.descriptors <= before.descriptors + DESCRIPTORS_SPARE, "{before:?} {after:?}");
        assert!(after.threads <= before.threads + THREADS_SPARE, "{before:?} {after:?}");
        assert!(after.mib <= before.mib + MIB_SPARE, "{before:?} {after:?}");
    }
}
