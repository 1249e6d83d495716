//! What a program holds while it works on nothing. It leaks if that is more after a load.

use crate::{memory, process, program::Running, waiting};

/// Descriptors, threads and tasks that come and go, such as those of connections to models, which are kept for a moment:
/// few beside a thousand calls.
const SPARE: u8 = 64;
/// Memory that an allocator may keep for the next burst, in KiB.
const KIB_SPARE: u64 = 40 * 1024;

/// What a program holds.
#[derive(Clone, Copy, Debug)]
pub struct AtRest {
    descriptors: usize,
    threads: u64,
    /// None of a brain, which does not count them.
    tasks: f64,
    /// Without the pages of its program.
    kib: u64,
}

impl AtRest {
    /// What it holds now.
    pub async fn of(program: &Running) -> Self {
        let memory::Held { descriptors, threads, .. } = program.held();
        let tasks = if is_brain(program) { 0.0 } else { program.metric("routing_tasks").await };
        Self { descriptors, threads, tasks, kib: process::own_kib(program.id()) }
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
            let works = !is_brain(program) && program.metric("routing_in_flight_calls").await > 0.0;
            (now.is_within(self) && !works).then_some(now)
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
        let back = || std::future::ready((self.more_kib(program) <= KIB_SPARE).then_some(()));
        waiting::until_or_say(waiting::LIMIT, back, say).await;
    }
}

fn is_brain(program: &Running) -> bool {
    program.ports.admin == 0
}
