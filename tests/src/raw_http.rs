//! HTTP by hand: requests as no library sends them, and exactly what is answered.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::waiting;

/// Room for an answer of the usual length, in bytes.
const ROOM: usize = 4096;

/// An answer whose body has a length, or that has none.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// A connection of a caller.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// What has come and was not taken yet.
    received: Vec<u8>,
}

impl Connection {
    /// Opens one to a port of this machine.
    ///
    /// # Panics
    /// If nobody listens.
    pub async fn open(port: u16) -> Self {
        Self::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("connects"))
    }

    /// One over a socket.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("a socket");
        Self { socket, received: Vec::with_capacity(ROOM) }
    }

    /// Sends bytes. What is refused may be cut while it is sent: then the answer says why.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    /// The next so many bytes; none: the connection ended before.
    pub async fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        while self.received.len() < bytes {
            if !self.receive().await {
                return None;
            }
        }
        Some(self.received.drain(..bytes).collect())
    }

    /// The answer to the one request that was sent.
    ///
    /// # Panics
    /// If there is none, half of one, or more than one.
    pub async fn only_answer(&mut self, to: &str) -> Answer {
        let answer = loop {
            if let Some(answer) = self.whole_answer() {
                break answer;
            }
            let goes_on = self.receive().await;
            assert!(goes_on, "{to}: the connection ended after {:?}", self.shown());
        };
        assert!(self.received.is_empty(), "{to}: {answer:?}, and more: {}", self.shown());
        answer
    }

    /// What comes until the peer ends the connection, as text.
    pub async fn rest(mut self) -> String {
        while self.receive().await {}
        self.shown()
    }

    /// The same after [`close_half`](Self::close_half).
    pub async fn rest_after_closing(mut self) -> String {
        self.close_half().await;
        self.rest().await
    }

    /// Says that nothing more will be sent.
    pub async fn close_half(&mut self) {
        // The peer may have closed both already.
        let _ = self.socket.shutdown().await;
    }

    /// Whether something came; otherwise the connection has ended, also by a reset.
    async fn receive(&mut self) -> bool {
        let received = timeout(waiting::LIMIT, self.socket.read_buf(&mut self.received)).await;
        received.expect("something in time").is_ok_and(|bytes| bytes > 0)
    }

    fn whole_answer(&mut self) -> Option<Answer> {
        let end = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.received[..end]).to_lowercase();
        assert!(!head.contains("transfer-encoding"), "an answer without a length: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        let body = String::from_utf8_lossy(self.received.get(end..end + length)?).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        self.received.drain(..end + length);
        Some(Answer { status, body })
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}
