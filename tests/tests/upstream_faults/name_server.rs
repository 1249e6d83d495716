//! A name server whose answers for one name are late, and which does not know another.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tests::waiting;
use tokio::{net::UdpSocket, sync::watch, task::JoinHandle};

/// The name whose answers are late; all others are answered for at once.
pub const SLOW: &str = "slow.invalid";
/// The same as a question has it: each part behind its length.
const SLOW_ASKED: &[u8] = b"\x04slow\x07invalid\x00";
/// The name that there is not.
pub const UNKNOWN: &str = "none.invalid";
const UNKNOWN_ASKED: &[u8] = b"\x04none\x07invalid\x00";
/// What an answer has that says so.
const NO_SUCH_NAME: u8 = 3;
/// Bytes before the question.
const HEAD: usize = 12;
/// Bytes of its kind and class, behind the name.
const KIND_AND_CLASS: usize = 4;
/// The kind of a question for IPv4 addresses.
const IPV4: &[u8] = &[0, 1];
/// The name of the question, IPv4, Internet, not to be kept, four bytes: 127.0.0.1.
const THIS_MACHINE: [u8; 16] = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1];

struct Shared {
    socket: UdpSocket,
    late: Duration,
    /// Whether the late answers may go out.
    may_answer: watch::Sender<bool>,
    /// Late answers that are due.
    due: AtomicUsize,
    /// The most of them at once.
    most: AtomicUsize,
}

/// It says of each other name that it is this machine.
pub struct NameServer {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// Its late answers go out after this time, and not before [`answer`](Self::answer).
    pub fn start(socket: UdpSocket, late: Duration) -> Self {
        let (due, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { socket, late, may_answer: watch::Sender::new(false), due, most });
        Self { task: tokio::spawn(serve(Arc::clone(&shared))), shared }
    }

    /// Waits until it was asked for the slow name.
    pub async fn asked(&self) {
        waiting::until_true("a question", || async { self.most() > 0 }).await;
    }

    /// Lets the late answers go out.
    pub fn answer(&self) {
        self.shared.may_answer.send_replace(true);
    }

    /// The most questions for the slow name that waited at once.
    pub fn most(&self) -> usize {
        self.shared.most.load(Ordering::Relaxed)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(shared: Arc<Shared>) {
    let mut question = [0; 512];
    loop {
        // An error is of a peer that went away.
        let Ok((length, peer)) = shared.socket.recv_from(&mut question).await else { continue };
        tokio::spawn(answer(Arc::clone(&shared), question[..length].to_vec(), peer));
    }
}

async fn answer(shared: Arc<Shared>, question: Vec<u8>, peer: SocketAddr) {
    if question[HEAD..].starts_with(SLOW_ASKED) {
        let due = shared.due.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most.fetch_max(due, Ordering::Relaxed);
        tokio::time::sleep(shared.late).await;
        // Only an end of the test ends it without a value.
        let _ = shared.may_answer.subscribe().wait_for(|may| *may).await;
        shared.due.fetch_sub(1, Ordering::Relaxed);
    }
    let _ = shared.socket.send_to(&answer_to(&question), peer).await;
}

/// That the name is this machine, that it has no address of another kind, or that there is no such name.
fn answer_to(question: &[u8]) -> Vec<u8> {
    let name = question[HEAD..].iter().position(|byte| *byte == 0).map_or(question.len(), |end| HEAD + end + 1);
    let is_known = !question[HEAD..].starts_with(UNKNOWN_ASKED);
    let has_address = is_known && question[name..].starts_with(IPV4);
    let error = if is_known { 0 } else { NO_SUCH_NAME };
    let flags_and_counts = [0x81, 0x80 | error, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0];
    let answer = if has_address { &THIS_MACHINE[..] } else { &[] };
    [&question[..2], &flags_and_counts, &question[HEAD..name + KIND_AND_CLASS], answer].concat()
}
