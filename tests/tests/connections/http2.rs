//! A client of HTTP/2 that resets streams, or makes no room for answers, as no library does.

use tests::raw_http::Connection;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `POST http://a/mcp` of JSON by a client that reads JSON and event streams (RFC 7541): what is in the static table by its
/// number, texts as they are.
const HEAD: &[u8] =
    b"\x83\x86\x04\x04/mcp\x01\x01a\x0f\x10\x10application/json\x0f\x04\x23application/json, text/event-stream";

// Types of frames, and their flags (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The setting of how much may be sent on a stream before the client asks for more: nothing.
const NO_ROOM: [u8; 6] = [0, 4, 0, 0, 0, 0];
/// The stream is not needed any more.
const CANCEL: u32 = 8;
/// The client does what may be an attack.
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

/// One connection.
pub struct Client {
    connection: Connection,
    /// The number of the next stream.
    next: u32,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Client {
    pub async fn open(port: u16) -> Self {
        Self::with(port, &[]).await
    }

    /// One that makes no room for any answer.
    pub async fn open_without_room(port: u16) -> Self {
        Self::with(port, &NO_ROOM).await
    }

    async fn with(port: u16, settings: &[u8]) -> Self {
        let mut connection = Connection::open(port).await;
        connection.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)[..]].concat()).await;
        Self { connection, next: 1 }
    }

    /// Sends a message on a stream of its own, and returns the stream.
    pub async fn post(&mut self, message: &str) -> u32 {
        let (stream, bytes) = self.posted(message);
        self.connection.send(&bytes).await;
        stream
    }

    fn posted(&mut self, message: &str) -> (u32, Vec<u8>) {
        let stream = self.next;
        self.next += 2;
        let head = frame(HEADERS, END_HEADERS, stream, HEAD);
        (stream, [head, frame(DATA, END_STREAM, stream, message.as_bytes())].concat())
    }

    pub async fn reset(&mut self, stream: u32) {
        self.connection.send(&reset(stream)).await;
    }

    /// Sends each message on a stream of its own, and resets that at once.
    pub async fn post_and_reset(&mut self, messages: impl IntoIterator<Item = String>) {
        let mut bytes: Vec<u8> = vec![];
        for message in messages {
            let (stream, posted) = self.posted(&message);
            bytes.extend(posted);
            bytes.extend(reset(stream));
        }
        self.connection.send(&bytes).await;
    }

    /// Sends a message and waits for the end of its answer: then the server has begun with all streams before.
    pub async fn is_answered(&mut self, message: &str) {
        let stream = self.post(message).await;
        loop {
            let frame = self.next_frame().await.expect("an answer");
            assert_ne!(frame.kind, GO_AWAY, "{}", String::from_utf8_lossy(&frame.payload));
            if frame.stream == stream && frame.flags & END_STREAM != 0 {
                return;
            }
        }
    }

    /// Sends nothing more. Whether the server says that it was too much, before the connection ends.
    pub async fn told_to_calm_down(mut self) -> bool {
        self.connection.close_half().await;
        while let Some(frame) = self.next_frame().await {
            if frame.kind == GO_AWAY {
                return frame.payload.get(4..8) == Some(&ENHANCE_YOUR_CALM[..]);
            }
        }
        false
    }

    /// None: the connection has ended.
    async fn next_frame(&mut self) -> Option<Frame> {
        let head = self.connection.take(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = self.connection.take(usize::try_from(length).expect("24 bits")).await?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RESET, 0, stream, &CANCEL.to_be_bytes())
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags][..], &stream.to_be_bytes()[..], payload].concat()
}
