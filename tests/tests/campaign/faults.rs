//! What goes wrong with the requests of one operator and the events that it is told; counts both. No I/O.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    asked::{Asked, Class, Reply},
    fault::{Act, Counts, Fault, Target},
};

/// Writes that are kept, to be shown when a plan diverges.
const SHOWN: usize = 40;

/// What goes wrong with one operator, and what it has sent so far. It outlives the operator's crashes.
pub struct Faults {
    fault: Option<Fault>,
    state: Mutex<State>,
    writes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    /// The request that it happens to, and how often it still does.
    victim: Option<String>,
    left: u32,
    acted_at: Option<Instant>,
    /// The first reply to each read.
    first: HashMap<String, Reply>,
    sent: VecDeque<String>,
    /// Of the process that runs now.
    crash: CancellationToken,
}

impl Faults {
    /// With this fault; none: it only counts.
    #[must_use]
    pub fn new(fault: Option<Fault>) -> Self {
        Self { fault, state: Mutex::default(), writes: watch::Sender::new(0) }
    }

    /// A process begins; the token is cancelled when it crashes.
    pub fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        self.lock().crash = token.clone();
        token
    }

    /// The process crashes.
    pub fn crash(&self) {
        self.lock().crash.cancel();
    }

    /// Whether the process has crashed, and no other has begun.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().crash.is_cancelled()
    }

    /// Counts a request; returns what happens to it.
    pub fn meets(&self, asked: &Asked) -> Option<Act> {
        let mut state = self.lock();
        let number = state.count(asked, self.fault.map(|fault| fault.target));
        self.writes.send_replace(state.counts.writes);
        let fault = self.fault?;
        if state.victim.is_none() && number == Some(fault.nth) {
            state.victim = Some(asked.key());
            state.left = fault.times;
        }
        if state.left == 0 || state.victim.as_ref() != Some(&asked.key()) {
            return None;
        }
        state.left -= 1;
        state.acted_at = Some(Instant::now() + fault.act.takes());
        Some(fault.act)
    }

    /// Whether events are lost: only a list finds what they told of.
    #[must_use]
    pub fn lose_events(&self) -> bool {
        self.fault.is_some_and(|fault| fault.act == Act::Drop)
    }

    /// Counts an event; returns what happens to it.
    pub fn meets_event(&self) -> Option<Act> {
        let mut state = self.lock();
        state.counts.events += 1;
        let fault = self.fault.filter(|fault| fault.target == Target::Event)?;
        if !(fault.nth..fault.nth + u64::from(fault.times)).contains(&state.counts.events) {
            return None;
        }
        state.acted_at = Some(Instant::now() + fault.act.takes());
        Some(fault.act)
    }

    /// Notes what became of a request: the first reply to a read, the status of a write.
    pub fn note(&self, asked: &Asked, reply: &Reply) {
        let mut state = self.lock();
        match asked.class {
            Class::Read => {
                state.first.entry(asked.key()).or_insert_with(|| reply.clone());
            }
            Class::Write => state.note(format!("{asked} → {}", reply.status)),
            Class::Watch => {}
        }
    }

    /// Notes what the fault made of a request.
    pub fn note_fault(&self, asked: &Asked, act: Act) {
        self.lock().note(format!("{asked} ⚡ {act:?}"));
    }

    /// The first reply to a read.
    #[must_use]
    pub fn first_reply(&self, asked: &Asked) -> Option<Reply> {
        self.lock().first.get(&asked.key()).cloned()
    }

    /// Returns once so many writes were sent.
    pub async fn until_writes(&self, count: u64) {
        // The sender lives as long as `self`.
        let _ = self.writes.subscribe().wait_for(|writes| *writes >= count).await;
    }

    /// How many there were so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// When the fault last ended, or is going to; none: it has not happened yet.
    #[must_use]
    pub fn last_acted(&self) -> Option<Instant> {
        self.lock().acted_at
    }

    /// The last writes, oldest first, and what the fault did.
    #[must_use]
    pub fn sent(&self) -> Vec<String> {
        self.lock().sent.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a request; returns its number among those of a target, if it is one of them.
    fn count(&mut self, asked: &Asked, target: Option<Target>) -> Option<u64> {
        let before = self.counts;
        match asked.class {
            Class::Watch => self.counts.watches += 1,
            Class::Read => self.counts.repeated += u64::from(self.first.contains_key(&asked.key())),
            Class::Write => self.counts.writes += 1,
        }
        self.counts.requests += u64::from(!asked.is_watch());
        let target = target?;
        (self.counts.of(target) > before.of(target)).then(|| self.counts.of(target))
    }

    fn note(&mut self, line: String) {
        self.sent.push_back(line);
        if self.sent.len() > SHOWN {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
