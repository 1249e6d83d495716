//! Calls under a fault of a model's endpoint, and what is checked of each row: the answers, the records, and how often the
//! endpoint was asked.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{
    calls::CALLS,
    fault_rows::Rows,
    fault_server::{Act, FAULTY, FaultServer, GOOD, Point, answer_to, broken::Expected},
    mcp::CallResult,
    program::Running,
};

use super::table::Case;

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

    fn answers(&self, decision: &str, expected: Expected) -> bool {
        self.is(decision, "") && expected.may_be_answered()
    }

    fn fails(&self, decision: &str, expected: Expected) -> bool {
        self.decision == decision && expected.may_be(&self.error)
    }
}

fn counted(attempts: impl IntoIterator<Item = Attempt>) -> BTreeMap<Attempt, usize> {
    let mut counts = BTreeMap::new();
    attempts.into_iter().for_each(|attempt| *counts.entry(attempt).or_default() += 1);
    counts
}

/// A data plane under one fault after the other.
pub struct Campaign {
    rows: Rows,
    /// Calls of a row.
    calls: usize,
    /// The local model has one: once it is open, Claude alone is asked.
    has_circuit: bool,
}

impl Campaign {
    pub fn of(routing: Running) -> Self {
        Self { rows: Rows::of(routing), calls: CALLS, has_circuit: false }
    }

    /// With so many calls of a row.
    pub fn calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// With a policy, and no route that spares its local model the circuit.
    pub fn with_circuit(self) -> Self {
        Self { has_circuit: true, ..self }
    }

    /// The data plane.
    pub fn routing(&self) -> &Running {
        self.rows.routing()
    }

    /// The local model has the fault, and Claude answers.
    pub async fn local(&mut self, case: &Case, server: &FaultServer) {
        let fell_back = self.fall_back(case).await;
        let (asked_local, asked_claude) = server.asked();
        // What breaks a connection after its answer may break the next request on it before it is read.
        let unread = if case.fault.at == Point::AfterBody { fell_back } else { 0 };
        let right = (self.calls - unread..=self.calls).contains(&asked_local) && asked_claude == fell_back;
        assert!(right, "{}: {asked_local} and {asked_claude} requests of {} calls", case.name, self.calls);
    }

    /// The same, wherever the models are. Returns how many calls Claude answered after the local model.
    pub async fn fall_back(&mut self, case: &Case) -> usize {
        let attempts = self.load(case, |number, result| {
            assert!(!result.is_error() && result.text(0) == answer_to(number), "{}: {result:?}", case.name);
        });
        let attempts = attempts.await;
        for attempts in &attempts {
            let right = match &attempts[..] {
                [one] => one.answers("local", case.expected) || self.has_circuit && one.is("claude_fallback", ""),
                [local, claude] => local.fails("local", case.expected) && claude.is("claude_fallback", ""),
                _ => false,
            };
            assert!(right, "{}: {attempts:?}", case.name);
        }
        self.recorded(case, &attempts).await;
        attempts.iter().filter(|attempts| attempts.len() == 2).count()
    }

    /// Both models have the fault, and each is asked once.
    pub async fn both(&mut self, case: &Case, server: &FaultServer) {
        self.both_fail(case).await;
        let (asked, expected) = (server.asked().0, 2 * self.calls);
        // Of connections that get no answer there may be more, which nobody needed after all.
        let right = asked == expected || case.fault.at == Point::Accepted && asked > expected;
        assert!(right, "{}: asked {asked} times for {expected} attempts", case.name);
    }

    /// Both models have the fault. Returns the records.
    pub async fn both_fail(&mut self, case: &Case) -> Vec<Value> {
        let named = [format!("local ({FAULTY}): "), format!("claude_fallback ({GOOD}): ")];
        let attempts = self.load(case, |_, result| {
            let both = named.iter().all(|named| result.text(0).contains(named));
            assert!(result.is_error() && both, "{}: {result:?}", case.name);
        });
        let attempts = attempts.await;
        // A reset may come before the connection is seen to be open.
        let resets_early = case.fault.at == Point::Accepted && case.fault.act == Act::Reset;
        let fails = |attempt: &Attempt, decision: &str| {
            attempt.fails(decision, case.expected) || resets_early && attempt.is(decision, "unreachable")
        };
        for attempts in &attempts {
            let right = match &attempts[..] {
                [claude] => self.has_circuit && fails(claude, "claude_fallback"),
                [local, claude] => fails(local, "local") && fails(claude, "claude_fallback"),
                _ => false,
            };
            assert!(right, "{}: {attempts:?}", case.name);
        }
        self.recorded(case, &attempts).await
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
            let fails = claude.fails("claude", case.expected);
            assert!(fails || claude.answers("claude", case.expected), "{}: {attempts:?}", case.name);
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
        let mut attempts = vec![];
        let each = |number, result: &CallResult| {
            check(number, result);
            let made = result.decisions("decision").into_iter().zip(result.decisions("error"));
            attempts.push(made.map(|(decision, error)| Attempt::of(&decision, &error)).collect());
        };
        self.rows.call(&case.name, self.calls, each).await;
        attempts
    }

    /// There is exactly one record of each attempt that the answers name. Returns the records.
    async fn recorded(&mut self, case: &Case, attempts: &[Vec<Attempt>]) -> Vec<Value> {
        let expected = counted(attempts.iter().flatten().cloned());
        let logged = self.rows.logged(&case.name, expected.values().sum()).await;
        let recorded = logged.records.iter().map(|record| Attempt::of(&record["decision"], &record["error"]));
        assert_eq!(counted(recorded), expected, "{}: the records", case.name);
        logged.records
    }

    /// The process runs, works on nothing, and holds what it held before.
    pub async fn leaves_nothing_behind(self) {
        self.rows.leaves_nothing_behind().await;
    }
}
