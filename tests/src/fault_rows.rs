//! Rows of calls, each under another fault, and what is checked of all of them: a call has one result, a model call one
//! record, and the process holds in the end what it held before.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::Value;

use crate::{
    at_rest::AtRest,
    load::{Got, Load},
    mcp::CallResult,
    memory,
    program::Running,
    waiting,
};

/// Calls in flight, unless a test says otherwise: fewer than one address may have connections where a process has 1024
/// descriptors. So many requests are carried by one connection of HTTP/2, too.
const AT_A_TIME: usize = 200;
/// After so many calls memory is taken that is kept; what is held then is the measure.
const WARM_CALLS: usize = 5000;
/// Most descriptors then: its ports, files, and a few connections to a brain that may hang. The memory of those that are
/// kept for the next call is no part of the measure.
const DESCRIPTORS: usize = 32;

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
    /// None before the first call.
    before: Option<AtRest>,
}

impl Rows {
    /// Rows of calls of this data plane.
    #[must_use]
    pub fn of(routing: Running) -> Self {
        let (at_a_time, ids) = (AT_A_TIME, HashSet::new());
        Self { routing, at_a_time, next: 0, read: 0, ids, is_warm: false, before: None }
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
        if self.before.is_none() {
            self.before = Some(AtRest::of(&self.routing).await);
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
            self.is_warm = true;
            self.begin_anew().await;
        }
        logged
    }

    /// From now on the measure of memory is what it has now.
    async fn begin_anew(&mut self) {
        let ended = || std::future::ready(self.routing.held().descriptors <= DESCRIPTORS);
        waiting::until_true("connections to end", ended).await;
        if let Some(before) = self.before {
            self.before = Some(before.warm(&self.routing).await);
        }
    }

    /// The process runs, works on nothing, and holds what it held before the first call, of memory what it had after the
    /// first calls if there were many.
    ///
    /// # Panics
    /// If it holds more, or there was no call.
    pub async fn leaves_nothing_behind(self) {
        self.before.expect("there were calls").is_back(&self.routing).await;
        assert!(self.routing.peak_mib() < memory::DATA_PLANE_MIB, "{} MiB", self.routing.peak_mib());
        assert_eq!(self.routing.metric("routing_log_lines_dropped_total").await, 0.0, "the log is whole");
    }
}
