//! What a connection is doing: waiting for a request, receiving one, or working on some.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::Notify,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take, from the connection or its first byte.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request, or for its peer to read on.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long an answer may be on its way before its connection can be replaced: a peer under load reads late.
pub(super) const UNREAD_GRACE: Duration = Duration::from_secs(10);
/// Most bytes of a request's head that are kept, to check its framing.
const HEAD_KEPT_BYTES: usize = 16 * 1024;

/// What a connection is doing. Also a request extension: whoever reads a body says so.
pub(crate) struct Activity {
    state: Mutex<State>,
    /// Told when a deadline became shorter.
    pub(super) changed: Notify,
    /// Cancelled when the connection must end at once, because its place is needed.
    pub(super) replaced: CancellationToken,
}

struct State {
    /// Requests that are not answered yet.
    in_flight: usize,
    /// Those of them whose body is still being read.
    reading: usize,
    /// Those of them whose answer waits until its peer reads on.
    unread: usize,
    /// Part of a request has arrived; also at the beginning, before any byte has.
    in_head: bool,
    /// When the present wait began.
    since: Instant,
    /// The bytes of that part.
    head: Vec<u8>,
}

impl State {
    fn new() -> Self {
        Self { in_flight: 0, reading: 0, unread: 0, in_head: true, since: Instant::now(), head: vec![] }
    }

    /// Whether only its peer can go on.
    fn waits(&self) -> bool {
        self.in_flight == self.reading + self.unread
    }

    /// One more or less of something; a wait may begin by it.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let waited = self.waits();
        change(self);
        if self.waits() && !waited {
            self.since = Instant::now();
        }
    }
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new()), changed: Notify::new(), replaced: CancellationToken::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes arrived.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.in_flight > 0 || bytes.is_empty() {
            return;
        }
        if !state.in_head {
            state.in_head = true;
            state.since = Instant::now();
            self.changed.notify_one();
        }
        let room = HEAD_KEPT_BYTES.saturating_sub(state.head.len()).min(bytes.len());
        state.head.extend_from_slice(&bytes[..room]);
    }

    /// Bytes were taken: a wait for the peer to read on begins anew.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        if state.waits() {
            state.since = Instant::now();
        }
    }

    /// A request begins; returns the bytes of its head, as far as they are known.
    pub(super) fn begin(self: &Arc<Self>) -> (InFlight, Vec<u8>) {
        let mut state = self.state();
        state.in_flight += 1;
        let head = std::mem::take(&mut state.head);
        (InFlight(Arc::clone(self)), head)
    }

    /// A request's body is being read until the guard is dropped.
    pub(crate) fn reading(self: &Arc<Self>) -> Reading {
        self.state().change(|state| state.reading += 1);
        Reading(Arc::clone(self))
    }

    /// An answer waits until its peer reads on: until the guard is dropped.
    pub(super) fn unread(self: &Arc<Self>) -> Unread {
        self.state().change(|state| state.unread += 1);
        Unread(Arc::clone(self))
    }

    /// When the connection must end unless something happens; none while it works on a request. Bodies have shorter time-outs
    /// of their own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let timeout = if state.in_flight == 0 && state.in_head { HEAD_TIMEOUT } else { IDLE_TIMEOUT };
        state.waits().then(|| state.since + timeout)
    }

    /// Since when the connection waits for its peer, and could be replaced; none while it works on a request.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        let is_on_its_way = state.unread > 0 && state.since.elapsed() < UNREAD_GRACE;
        (state.waits() && !is_on_its_way).then_some(state.since)
    }
}

/// A request that is not answered yet.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().change(|state| {
            state.in_flight -= 1;
            state.in_head &= state.in_flight > 0;
        });
    }
}

/// A body that is being read.
pub(crate) struct Reading(Arc<Activity>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.state().change(|state| state.reading -= 1);
    }
}

/// An answer that waits for its peer.
pub(super) struct Unread(Arc<Activity>);

impl Drop for Unread {
    fn drop(&mut self) {
        self.0.state().change(|state| state.unread -= 1);
    }
}
