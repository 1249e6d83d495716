//! A network between a program and a server of 127.0.0.1 that fails on purpose: it stops forwarding, or loses one message.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::ports;

/// Most that is forwarded at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// What is lost of the next message of a program that has a given text in it. The connection ends then, unless the network hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The message: the server never has it.
    Message,
    /// The answer: the server has done what it was asked for.
    Answer,
    /// The answer and all that follows, but the connection does not end: the network hangs from then on.
    AllThatFollows,
}

type Next = Arc<Mutex<Option<(&'static str, Lost)>>>;

/// A network that forwards to one port.
pub struct Proxy {
    port: u16,
    hung: watch::Sender<bool>,
    next: Next,
}

impl Proxy {
    /// Starts to forward to a port, until the runtime ends.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = ports::listener();
        listener.set_nonblocking(true).expect("a listener of tokio");
        let own = listener.local_addr().expect("an address").port();
        let (hung, next) = (watch::Sender::new(false), Next::default());
        let faults = Faults { hung: hung.clone(), next: Arc::clone(&next) };
        tokio::spawn(serve(TcpListener::from_std(listener).expect("a listener"), port, faults));
        Self { port: own, hung, next }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops to forward what is sent and takes new connections, as a network does that swallows packets; or goes on.
    pub fn hang(&self, hung: bool) {
        self.hung.send_replace(hung);
    }

    /// Loses something of the next message in which a text is.
    ///
    /// # Panics
    /// If a connection panicked.
    pub fn lose(&self, text: &'static str, lost: Lost) {
        *self.next.lock().expect("no connection panics") = Some((text, lost));
    }

    /// Whether what was to be lost is lost.
    ///
    /// # Panics
    /// If a connection panicked.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.next.lock().expect("no connection panics").is_none()
    }
}

#[derive(Clone)]
struct Faults {
    hung: watch::Sender<bool>,
    next: Next,
}

impl Faults {
    /// Waits while the network hangs.
    async fn pass(&self) -> bool {
        self.hung.subscribe().wait_for(|hung| !hung).await.is_ok()
    }

    /// What is to be lost of a message, once.
    fn lost(&self, message: &[u8]) -> Option<Lost> {
        let has = |text: &str| message.windows(text.len()).any(|part| part == text.as_bytes());
        let mut next = self.next.lock().expect("no connection panics");
        next.take_if(|(text, _)| has(text)).map(|(_, lost)| lost)
    }
}

async fn serve(listener: TcpListener, port: u16, faults: Faults) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let deaf = CancellationToken::new();
        let up = up(from_client, to_server, faults.clone(), deaf.clone());
        let down = down(from_server, to_client, faults.clone(), deaf);
        tokio::spawn(async move {
            // Both directions end together.
            tokio::select! { () = up => (), () = down => () }
        });
    }
}

async fn up(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, faults: Faults, deaf: CancellationToken) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if !faults.pass().await {
            return;
        }
        match faults.lost(&chunk[..read]) {
            Some(Lost::Message) => return,
            Some(Lost::Answer) => deaf.cancel(),
            // Before the server can answer.
            Some(Lost::AllThatFollows) => drop(faults.hung.send_replace(true)),
            None => {}
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

async fn down(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, faults: Faults, deaf: CancellationToken) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if deaf.is_cancelled() || !faults.pass().await || to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
