//! Faults as data: what is sent, up to where, and what happens there.

use serde_json::{Value, json};

use super::ANSWERED;

/// A point of an exchange: what came before has happened whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The connection is accepted, and nothing is answered.
    Accepted,
    /// The request is read, and nothing is sent.
    Asked,
    /// Half of the head is sent.
    InHead,
    /// The head is sent.
    AfterHead,
    /// Half of the body is sent.
    InBody,
    /// All is sent.
    AfterBody,
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The exchange goes on to its end; what is wrong is in the answer.
    GoOn,
    /// Nothing more, for ever.
    Hang,
    /// The rest, one byte at a time.
    Drip,
    /// The connection is closed.
    Cut,
    /// The connection is reset.
    Reset,
    /// Bytes without end: lines of a head, then spaces, up to 1 GiB.
    Flood,
}

/// How an answer says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `Content-Length`, off by this many bytes.
    Off(i64),
    /// By the end of the connection.
    UntilClosed,
    /// In chunks.
    Chunked,
    /// In a chunk whose size is no number.
    BadChunk,
    /// `Content-Length` twice, with two values.
    Twice,
    /// `Content-Length` with a value that is no number.
    NoNumber,
}

/// An answer; in its body [`ECHO`](Answer::ECHO) stands for the request's marker, or for what became of its entries.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) length: Length,
    pub(super) body: Vec<u8>,
    /// What became of the entries of a request, in turn; empty: each is logged.
    pub(super) each: Vec<&'static str>,
}

impl Answer {
    /// Stands for the marker of a model's request, and for the list of what became of the entries for a brain.
    pub const ECHO: &str = "@marker@";

    /// 200 with this body.
    #[must_use]
    pub fn of(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", "application/json".to_string())];
        Self { status: 200, headers, length: Length::Off(0), body: body.into(), each: vec![] }
    }

    /// 200 with this choice.
    #[must_use]
    pub fn choice(choice: &Value) -> Self {
        Self::of(json!({"choices": [choice]}).to_string())
    }

    /// The answer of a model that works.
    #[must_use]
    pub fn good() -> Self {
        let message = json!({"role": "assistant", "content": format!("{ANSWERED} {}", Self::ECHO)});
        let usage = json!({"prompt_tokens": 11, "completion_tokens": 7});
        Self::of(json!({"choices": [{"finish_reason": "stop", "message": message}], "usage": usage}).to_string())
    }

    /// With another status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With a header; one of the same name is replaced.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// With so many spaces behind its body, which mean nothing in JSON.
    #[must_use]
    pub fn spaces(mut self, count: usize) -> Self {
        self.body.extend(std::iter::repeat_n(b' ', count));
        self
    }

    /// With another way to say where the body ends.
    #[must_use]
    pub fn length(self, length: Length) -> Self {
        Self { length, ..self }
    }
}

/// What is wrong with an endpoint.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it happens.
    pub at: Point,
    /// What happens.
    pub act: Act,
    /// What is sent up to there.
    pub answer: Answer,
}

impl Fault {
    /// An endpoint that works, though it has nothing to say.
    pub const NONE: Self = Self {
        at: Point::AfterBody,
        act: Act::GoOn,
        answer: Answer { status: 200, headers: vec![], length: Length::Off(0), body: vec![], each: vec![] },
    };

    /// A good answer that is broken off, delayed or flooded at a point.
    #[must_use]
    pub fn at(at: Point, act: Act) -> Self {
        Self { at, act, answer: Answer::good() }
    }

    /// A whole answer with something wrong in it.
    #[must_use]
    pub fn answer(answer: Answer) -> Self {
        Self { at: Point::AfterBody, act: Act::GoOn, answer }
    }
}
