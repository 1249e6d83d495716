//! What goes wrong with the requests of one operator and the events that it is told; records both. No I/O.

mod state;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::state::State;
use super::{
    api_request::{ApiReply, ApiRequest, resource_of},
    fault::{Act, Counts, Fault},
    point::{Point, Recorded},
};

/// What goes wrong with one operator, and what it has sent so far. It outlives the operator's crashes.
pub struct Faults {
    fault: Option<Fault>,
    state: Mutex<State>,
    /// Something was sent or came.
    news: watch::Sender<()>,
}

impl Faults {
    /// With this fault; none: it only records.
    #[must_use]
    pub fn new(fault: Option<Fault>) -> Self {
        Self { fault, state: Mutex::default(), news: watch::Sender::new(()) }
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

    /// Records a request; returns what is to happen to it. It counts only with [`Self::strike`].
    pub fn on_request(&self, request: &ApiRequest) -> Option<Act> {
        let act = self.lock().on_request(request, self.fault.as_ref());
        // Not while the state is locked: who waits for news looks at it.
        self.news.send_replace(());
        act
    }

    /// Records an event; returns what is to happen to it.
    pub fn on_event(&self, key: &str) -> Option<Act> {
        let act = self.lock().on_event(key, resource_of(key), self.fault.as_ref());
        self.news.send_replace(());
        act
    }

    /// What was to happen did, once.
    pub fn strike(&self) {
        self.lock().strike(Instant::now());
    }

    /// How often it happened.
    #[must_use]
    pub fn strikes(&self) -> u64 {
        self.lock().strikes
    }

    /// Whether events are lost: only a list finds what they told of.
    #[must_use]
    pub fn lose_events(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.act == Act::Drop)
    }

    /// Notes what the API server answered.
    pub fn on_reply(&self, request: &ApiRequest, reply: &ApiReply) {
        self.lock().on_reply(request, reply);
    }

    /// Notes what the fault made of a request.
    pub fn note(&self, line: String) {
        self.lock().note(line);
    }

    /// A connection failed, and no fault of these did it.
    pub fn on_broken(&self) {
        self.lock().broken += 1;
    }

    /// How many connections failed so.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.lock().broken
    }

    /// How many of the API server's own refusals say this.
    #[must_use]
    pub fn refusals(&self, text: &str) -> usize {
        self.lock().refusals.iter().filter(|refusal| refusal.contains(text)).count()
    }

    /// The first reply to a read.
    #[must_use]
    pub fn first_reply(&self, request: &ApiRequest) -> Option<ApiReply> {
        self.lock().first.get(&request.to_string()).cloned()
    }

    /// Returns once a point is reached.
    pub async fn until(&self, point: &Point) {
        let is_reached = |_: &()| self.lock().times(&point.key) >= point.nth;
        // The sender lives as long as `self`.
        let _ = self.news.subscribe().wait_for(is_reached).await;
    }

    /// How many requests there were so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// How many points there were so far.
    #[must_use]
    pub fn points(&self) -> usize {
        self.lock().recorded.len()
    }

    /// The points so far.
    #[must_use]
    pub fn recorded(&self) -> Vec<Recorded> {
        self.lock().recorded.clone()
    }

    /// When what went wrong ended, or is going to; none: nothing has yet.
    #[must_use]
    pub fn ends_at(&self) -> Option<Instant> {
        self.lock().ends_at
    }

    /// The last writes, oldest first, and what the fault did.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
