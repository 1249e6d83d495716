//! Rows of calls, each under another fault, and what is checked of all of them: a call has one result, a model call one
//! record, and the process holds in the end what it held before.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::Value;

use crate::{
    load::{Got, Load},
    mcp::CallResult,
    memory::{self, Held},
    program::Running,
    waiting,
};

/// Calls in flight, unless a test says otherwise: fewer than one address may have connections where a process has 1024
/// descriptors. So many requests are carried by one connection of HTTP/2, too.
const AT_A_TIME: usize = 200;
/// Most descriptors of a process that works on nothing: its ports, files, and a few connections to the brain.
const DESCRIPTORS: usize = 32;
/// Threads that come and go: those that block end 10 s after their last work.
const THREADS_SPARE: u64 = 8;
/// Tasks that come and go: of this question's connection, and of what is done from time to time.
const TASKS_SPARE: f64 = 4.0;
/// Memory that an allocator may keep for the next burst.
const MIB_SPARE: f64 = 40.0;
/// After so many calls threads are started and memory is taken; what is held then is the measure.
const WARM_CALLS: usize = 5000;

/// The message of a record in the log.
const DECIDED: &str = "decided";

/// What is in the log of a row.
pub struct Logged {
    text: String,
    /// The records of model calls.
    pub records: Vec<Value>,
}

impl Logged {
    /// The lines with this message.
    #[must_use]
    pub fn lines(&self, message: &str) -> Vec<Value> {
        lines_of(&self.text, message)
    }
}

/// The lines of a log with this message.
///
/// # Panics
/// If one of them is not JSON.
#[must_use]
pub fn lines_of(log: &str, message: &str) -> Vec<Value> {
    let part = part_of(message);
    let lines = log.lines().filter(|line| line.contains(&part));
    lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn part_of(message: &str) -> String {
    format!(r#""message":"{message}""#)
}

/// A data plane under one fault after the other.
pub struct Rows {
    routing: Running,
    at_a_time: usize,
    next: usize,
    /// How much of the log has been read.
    read: u64,
    ids: HashSet<String>,
    is_warm: bool,
    before: Held,
    /// Tasks before the first call.
    tasks: f64,
}

impl Rows {
    /// Rows of calls of this data plane.
    #[must_use]
    pub fn of(routing: Running) -> Self {
        let before = routing.held();
        let (at_a_time, ids) = (AT_A_TIME, HashSet::new());
        Self { routing, at_a_time, next: 0, read: 0, ids, is_warm: false, before, tasks: 0.0 }
    }

    /// With so many calls in flight; if that is more than usual, they share connections of HTTP/2.
    #[must_use]
    pub fn at_a_time(self, at_a_time: usize) -> Self {
        Self { at_a_time, ..self }
    }

    /// The data plane.
    #[must_use]
    pub fn routing(&self) -> &Running {
        &self.routing
    }

    /// Makes so many calls; each has one result, which `check` looks at. Returns how long all of them took.
    ///
    /// # Panics
    /// If a call has no result.
    pub async fn call(&mut self, row: &str, calls: usize, mut check: impl FnMut(usize, &CallResult)) -> Duration {
        if self.next == 0 {
            self.tasks = self.tasks_now().await;
        }
        let numbers = self.next..self.next + calls;
        self.next = numbers.end;
        let (loads, began, mut answered) = (self.loads(), Instant::now(), HashSet::new());
        let each = numbers.map(|number| loads[number % loads.len()].call(number));
        let mut each = stream::iter(each).buffer_unordered(self.at_a_time);
        while let Some((number, got)) = each.next().await {
            let Got::Result(result) = got else { panic!("{row}: call {number}: {got:?}") };
            assert!(answered.insert(number), "{row}: call {number} is answered twice");
            check(number, &result);
        }
        assert_eq!(answered.len(), calls, "{row}");
        println!("{row}: {calls} calls in {:.1} s", began.elapsed().as_secs_f64());
        began.elapsed()
    }

    fn loads(&self) -> Vec<Load> {
        let url = self.routing.mcp_url();
        if self.at_a_time <= AT_A_TIME {
            return vec![Load::of(&url)];
        }
        (0..self.at_a_time.div_ceil(AT_A_TIME)).map(|_| Load::over_one_connection(&url)).collect()
    }

    /// What is logged of a row, once it has so many records of model calls: no more, and none twice.
    ///
    /// # Panics
    /// If it has others, or repeats what an endpoint says.
    pub async fn logged(&mut self, row: &str, records: usize) -> Logged {
        let part = part_of(DECIDED);
        let text = waiting::until("the records", || async {
            let text = self.routing.log_after(self.read);
            (text.matches(&part).count() >= records && text.ends_with('\n')).then_some(text)
        })
        .await;
        self.read += text.len() as u64;
        let logged = Logged { records: lines_of(&text, DECIDED), text };
        for record in &logged.records {
            assert!(self.ids.insert(record["id"].to_string()), "{row}: a record twice: {record}");
        }
        assert_eq!(logged.records.len(), records, "{row}: one record of each model call");
        assert!(!logged.text.contains("CANARY"), "{row}: what an endpoint says is in no log");
        if !self.is_warm && self.next >= WARM_CALLS {
            (self.is_warm, self.before) = (true, self.idle().await);
        }
        logged
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

    /// The process runs, works on nothing, and holds what it held after the first calls, or at its start if there were
    /// few.
    ///
    /// # Panics
    /// If it holds more.
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
