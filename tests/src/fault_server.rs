//! A model's endpoint on a raw socket that fails at any point of an HTTP exchange, as a table says. It stands in for
//! what no HTTP server does: half a head, a wrong length, a reset in the middle of a body.
//!
//! The model `faulty` has the fault that is set. Every other model answers well, until [`FaultServer::fail_all`]. A good
//! answer repeats the [`marker`] of its request, so an answer that reaches another call is noticed.
//!
//! As [`brain::FaultyBrain`] it is the brain's endpoint.

pub mod brain;
pub mod broken;
mod exchange;
mod failure;
pub mod fault;
mod now;
mod plays;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use socket2::SockRef;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

pub use self::{
    failure::Failure,
    fault::{Act, Answer, Fault, Point},
};
use self::{
    now::{Now, Whose},
    plays::Plays,
};

/// The model that has the fault.
pub const FAULTY: &str = "faulty";
/// A model that has none.
pub const GOOD: &str = "good";
/// Begins what tells one request from all others.
const MARK: &str = "xcall-";
/// Connections that may wait to be accepted: all that a test opens at once.
const BACKLOG: i32 = 4096;
/// Connections that are served at a time; others wait to be accepted.
const CONNECTIONS_MAX: usize = 4096;

/// What tells a request from all others, for its prompt.
#[must_use]
pub fn marker(number: usize) -> String {
    format!("{MARK}{number}-")
}

/// The number whose marker is in a text.
#[must_use]
pub fn number_in(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once(MARK)?;
    rest.split_once('-')?.0.parse().ok()
}

/// Begins the text of a good answer, before a space and the marker of its request.
pub const ANSWERED: &str = "answer to";

/// The text of a good answer to the request with this number.
#[must_use]
pub fn answer_to(number: usize) -> String {
    format!("{ANSWERED} {}", marker(number))
}

/// What the connections share.
struct Shared {
    plays: Plays,
    now: watch::Sender<Now>,
    /// Requests that have the fault, or connections if the fault is before the request.
    faults: AtomicUsize,
    /// Requests that got a good answer.
    good: AtomicUsize,
    /// A place for each connection.
    places: Semaphore,
}

/// The running server; it accepts nothing more when it is dropped.
pub struct FaultServer {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FaultServer {
    /// Starts it without a fault.
    ///
    /// # Panics
    /// If no port can be listened on.
    pub async fn start() -> Self {
        Self::playing(Plays::Model).await
    }

    async fn playing(plays: Plays) -> Self {
        let listener = crate::ports::listener();
        SockRef::from(&listener).listen(BACKLOG).expect("a longer queue");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let listener = TcpListener::from_std(listener).expect("a listener");
        let now = Now::of(Fault::NONE, Whose::Faulty);
        let shared = Arc::new(Shared {
            plays,
            now: watch::Sender::new(now),
            faults: AtomicUsize::default(),
            good: AtomicUsize::default(),
            places: Semaphore::new(CONNECTIONS_MAX),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, task }
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The model `faulty` has this fault from now on, also on connections that are open. The counts begin anew.
    pub fn fail(&self, fault: Fault) {
        self.set(Now::of(fault, Whose::Faulty));
    }

    /// Like [`fail`](Self::fail), for every model.
    pub fn fail_all(&self, fault: Fault) {
        self.set(Now::of(fault, Whose::All));
    }

    /// Of the requests of the model `faulty` one in so many has one of these faults, drawn by its [`marker`]'s number: with
    /// the same seed the same request has the same fault, whenever it comes.
    ///
    /// # Panics
    /// If there are none, or one of them is before the request.
    pub fn fail_one_of(&self, requests: u32, faults: Vec<Fault>, seed: u64) {
        self.set(Now::drawn(requests, faults, seed));
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        CONNECTIONS_MAX - self.shared.places.available_permits()
    }

    fn set(&self, now: Now) {
        self.shared.now.send_replace(now);
        self.shared.faults.store(0, Ordering::Relaxed);
        self.shared.good.store(0, Ordering::Relaxed);
    }

    /// How often the fault happened, and how many requests got a good answer.
    #[must_use]
    pub fn asked(&self) -> (usize, usize) {
        (self.shared.faults.load(Ordering::Relaxed), self.shared.good.load(Ordering::Relaxed))
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // They are never closed.
    while let Ok(place) = shared.places.acquire().await {
        // An error is of a peer that went away.
        let Ok((socket, _)) = listener.accept().await else { continue };
        place.forget();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // It ends with its peer's.
            exchange::serve(socket, Arc::clone(&shared)).await;
            shared.places.add_permits(1);
        });
    }
}
