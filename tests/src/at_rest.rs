//! The meter of leaks: what a program holds while it works on nothing. It leaks if that is more after a load.
//!
//! ```text
//! of ─▶ a part of the load ─▶ warm ─▶ the rest of it ─▶ is_back
//! ```
//!
//! Connections that are kept for the next call count, too. Those of callers are ended by the test; those to models and to
//! the brain end after 4 to 8 s, or at once if the test ends their stand-in.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::{memory, process, program::Running, waiting};

/// Descriptors, threads and tasks that come and go: of the meter's own questions, of files that are read, and of a few
/// connections to the brain. Of a thousand calls one in a hundred may lose none.
const SPARE: u8 = 8;
/// Memory that a program takes for its first work and keeps, in KiB: caches, and pages that are used in part. Of a build
/// without optimisation after up to ten thousand calls at once.
const KIB_OF_WORK: u64 = 20 * 1024;
/// What a program that has worked may have more after more work, in KiB, because memory is given back in pages: it differed
/// by up to 2 MiB. If each call lost one KiB, three thousand calls would show it.
const KIB_SPARE: u64 = 3 * 1024;

/// Memory falls no more if it has not for this long: what is freed is given back after a second, with other work.
const FALLS_WITHIN: Duration = Duration::from_secs(2);
/// Less is no fall, in KiB.
const KIB_FALL: u64 = 256;
/// Between two looks at it.
const STEP: Duration = Duration::from_millis(100);
/// Requests between two looks: few connections, also for a program that may have few.
const REQUESTS: usize = 8;

/// What a program holds.
#[derive(Clone, Copy, Debug)]
#[must_use = "it says nothing before it is compared with what is held after a load"]
pub struct AtRest {
    descriptors: usize,
    threads: u64,
    /// None of a brain, which does not count them.
    tasks: f64,
    /// Without the pages of its program.
    kib: u64,
    /// The most that may be left.
    kib_max: u64,
}

impl AtRest {
    /// What it holds now, before a load.
    pub async fn of(program: &Running) -> Self {
        let memory::Held { descriptors, threads, .. } = program.held();
        let tasks = if is_brain(program) { 0.0 } else { program.metric("routing_tasks").await };
        let kib = process::own_kib(program.id());
        Self { descriptors, threads, tasks, kib, kib_max: kib + KIB_OF_WORK }
    }

    /// The same after the first part of a load: what memory is kept has been taken by then, so the rest of the load may
    /// take little.
    pub async fn warm(self, program: &Running) -> Self {
        waiting::until_true("the calls to end", || async { calls_of(program).await == 0.0 }).await;
        let kib = least_kib(program).await;
        Self { kib, kib_max: self.kib_max.min(kib + KIB_SPARE), ..self }
    }

    /// How much more memory it has now, in KiB.
    #[must_use]
    pub fn more_kib(&self, program: &Running) -> u64 {
        process::own_kib(program.id()).saturating_sub(self.kib)
    }

    /// Waits until no call, no connection and no task is left of a load.
    pub async fn is_idle_again(&self, program: &Running) {
        let probe = || async {
            let now = Self::of(program).await;
            (now.is_within(self) && calls_of(program).await == 0.0).then_some(now)
        };
        let say = || format!("no call, and no more than {self:?}; it holds {:?}", program.held());
        let now = waiting::until_or_say(waiting::LIMIT, probe, say).await;
        println!("held before: {self:?}; at rest: {now:?}; peak {} MiB", program.peak_mib());
    }

    fn is_within(&self, before: &Self) -> bool {
        self.descriptors <= before.descriptors + usize::from(SPARE)
            && self.threads <= before.threads + u64::from(SPARE)
            && self.tasks <= before.tasks + f64::from(SPARE)
    }

    /// Waits until it holds no more than this, and no more memory either.
    pub async fn is_back(&self, program: &Running) {
        self.is_idle_again(program).await;
        let say = || format!("memory to come back: {} KiB more than {self:?}", self.more_kib(program));
        let back = || async {
            let kib = process::own_kib(program.id());
            if kib > self.kib_max {
                works(program).await;
            }
            (kib <= self.kib_max).then_some(kib)
        };
        let kib = waiting::until_or_say(waiting::LIMIT, back, say).await;
        println!("memory before: {} KiB; at rest: {kib} KiB; limit {} KiB", self.kib, self.kib_max);
    }
}

fn is_brain(program: &Running) -> bool {
    program.ports.admin == 0
}

/// Calls that it works on; a brain answers at once.
async fn calls_of(program: &Running) -> f64 {
    if is_brain(program) { 0.0 } else { program.metric("routing_in_flight_calls").await }
}

/// Its memory once that falls no more.
async fn least_kib(program: &Running) -> u64 {
    let (began, mut least, mut since) = (Instant::now(), process::own_kib(program.id()), Instant::now());
    while since.elapsed() < FALLS_WITHIN && began.elapsed() < waiting::LIMIT {
        works(program).await;
        tokio::time::sleep(STEP).await;
        let now = process::own_kib(program.id());
        if now + KIB_FALL < least {
            (least, since) = (now, Instant::now());
        }
    }
    least
}

/// Has it answer requests that neither a model nor the brain hears of: an allocator gives memory back with the next work,
/// and none while there is none.
async fn works(program: &Running) {
    let mcp = program.mcp();
    let requests = (0..REQUESTS).map(|_| async { mcp.send("tools/list", json!({})).await.bytes().await });
    for answer in join_all(requests).await {
        answer.expect("a whole answer");
    }
}
