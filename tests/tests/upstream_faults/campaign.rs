//! Calls under a fault of a model's endpoint, and what is checked of each row: the answers, the records, and how often the
//! endpoint was asked.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{
    fault_rows::Rows,
    fault_server::{Act, FAULTY, FaultServer, GOOD, Point, answer_to},
    mcp::CallResult,
    program::Running,
};

use super::table::{CALLS, Case, Expected};

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
    rows: Rows,
    /// Calls of a row.
    calls: usize,
}

impl Campaign {
    pub fn of(routing: Running) -> Self {
        Self { rows: Rows::of(routing), calls: CALLS }
    }

    /// With so many calls of a row.
    pub fn calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }

    /// The data plane.
    pub fn routing(&self) -> &Running {
        self.rows.routing()
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
        let mut attempts = vec![];
        let each = |number, result: &CallResult| {
            check(number, result);
            let made = result.decisions("decision").into_iter().zip(result.decisions("error"));
            attempts.push(made.map(|(decision, error)| Attempt::of(&decision, &error)).collect());
        };
        self.rows.call(&case.name, self.calls, each).await;
        attempts
    }

    /// There is exactly one record of each attempt that the answers name.
    async fn recorded(&mut self, case: &Case, attempts: &[Vec<Attempt>]) {
        let expected = counted(attempts.iter().flatten().cloned());
        let logged = self.rows.logged(&case.name, expected.values().sum()).await;
        let recorded = logged.records.iter().map(|record| Attempt::of(&record["decision"], &record["error"]));
        assert_eq!(counted(recorded), expected, "{}: the records", case.name);
    }

    /// The process runs, works on nothing, and holds what it held before.
    pub async fn leaves_nothing_behind(self) {
        self.rows.leaves_nothing_behind().await;
    }
}
