//! The ways in which an exchange is broken, whatever was asked and whatever the answer would have been: the same for the
//! endpoint of a model and for the brain.

use super::fault::{Act, Answer, Fault, Length, Point};

/// Spaces behind an answer that drips: for minutes.
const DRIPPED: usize = 10_000;

/// How an exchange is broken.
#[derive(Clone, Debug)]
pub struct Broken {
    /// In words.
    pub name: String,
    /// Where.
    pub at: Point,
    act: Act,
    length: Length,
    left: Left,
}

/// What a client has of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The whole answer.
    Answer,
    /// No whole answer.
    Nothing,
    /// One of these: what breaks a connection after its answer may break the next request on it.
    AnswerOrNothing,
    /// More than it reads.
    TooMuch,
    /// A body that is not JSON.
    Nonsense,
}

/// What a client calls an exchange that leaves it without an answer.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    /// There is no whole answer.
    pub nothing: &'static str,
    /// There is more than it reads.
    pub too_much: &'static str,
    /// The body is not JSON.
    pub nonsense: &'static str,
}

/// What becomes of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Its good answer is used.
    Answered,
    /// An error of this kind.
    Error(&'static str),
    /// Either: the kernel may discard what came before a reset, and a connection may end while the next request begins.
    AnsweredOr(&'static str),
}

impl Expected {
    /// Whether its answer may be used.
    #[must_use]
    pub fn may_be_answered(self) -> bool {
        matches!(self, Self::Answered | Self::AnsweredOr(_))
    }

    /// Whether it may be an error of this kind.
    #[must_use]
    pub fn may_be(self, error: &str) -> bool {
        match self {
            Self::Answered => false,
            Self::Error(kind) | Self::AnsweredOr(kind) => kind == error,
        }
    }
}

impl Broken {
    fn of(name: impl Into<String>, at: Point, act: Act, length: Length, left: Left) -> Self {
        Self { name: name.into(), at, act, length, left }
    }

    /// An exchange with nothing wrong.
    #[must_use]
    pub fn whole() -> Self {
        Self::of("whole", Point::AfterBody, Act::GoOn, Length::Off(0), Left::Answer)
    }

    /// The fault of an exchange that would have had this answer.
    #[must_use]
    pub fn fault(&self, good: Answer) -> Fault {
        let long = if self.act == Act::Drip { good.spaces(DRIPPED) } else { good };
        Fault { at: self.at, act: self.act, answer: long.length(self.length) }
    }

    /// What becomes of it for a client with these errors.
    #[must_use]
    pub fn expected(&self, errors: Errors) -> Expected {
        match self.left {
            Left::Answer => Expected::Answered,
            Left::Nothing => Expected::Error(errors.nothing),
            Left::AnswerOrNothing => Expected::AnsweredOr(errors.nothing),
            Left::TooMuch => Expected::Error(errors.too_much),
            Left::Nonsense => Expected::Error(errors.nonsense),
        }
    }

    /// Whether each request is read: not where a connection is open on which something else happens.
    #[must_use]
    pub fn is_always_read(&self) -> bool {
        self.at != Point::Accepted && self.act != Act::Flood
    }

    /// Whether it may break the first exchange of what comes next.
    #[must_use]
    pub fn may_break_the_next(&self) -> bool {
        self.left == Left::AnswerOrNothing
    }
}

/// Connections that are closed or reset at each point. The last two may break what comes next.
#[must_use]
pub fn cuts_and_resets() -> Vec<Broken> {
    let points = [Point::Accepted, Point::Asked, Point::InHead, Point::AfterHead, Point::InBody, Point::AfterBody];
    let each = |at| {
        let left = if at == Point::AfterBody { Left::AnswerOrNothing } else { Left::Nothing };
        [Act::Cut, Act::Reset].map(|act| Broken::of(format!("{act:?} {at:?}"), at, act, Length::Off(0), left))
    };
    points.into_iter().flat_map(each).collect()
}

/// Bytes without end at each point, and bodies that end elsewhere than their head says. The last one may break what comes
/// next.
#[must_use]
pub fn floods_and_lengths() -> Vec<Broken> {
    use Left::{Answer, AnswerOrNothing, Nonsense, Nothing, TooMuch};
    use Length::{BadChunk, Chunked, NoNumber, Off, Twice, UntilClosed};
    let flood = |name, at, length, left| Broken::of(name, at, Act::Flood, length, left);
    let framed = |name, length, left| Broken::of(name, Point::AfterBody, Act::GoOn, length, left);
    vec![
        flood("bytes without end before the request", Point::Accepted, Off(0), Nothing),
        flood("bytes without end before the head", Point::Asked, Off(0), Nothing),
        flood("a head without end", Point::InHead, Off(0), Nothing),
        flood("spaces in place of the body", Point::AfterHead, Off(0), Nonsense),
        flood("a body without end", Point::InBody, UntilClosed, TooMuch),
        flood("a body of 1 GiB", Point::InBody, Off(1 << 30), TooMuch),
        framed("a length that is too small", Off(-5), Nonsense),
        Broken::of("a length that is too large", Point::AfterBody, Act::Cut, Off(10), Nothing),
        framed("a length that is no number", NoNumber, Nothing),
        framed("two lengths", Twice, Nothing),
        framed("a chunk whose size is no number", BadChunk, Nothing),
        framed("chunks", Chunked, Answer),
        framed("no length", UntilClosed, Answer),
        flood("bytes without end after the answer", Point::AfterBody, Off(0), AnswerOrNothing),
    ]
}

/// Exchanges that do not end, and nothing more comes.
#[must_use]
pub fn hangs() -> Vec<Broken> {
    let row = |name: String, at, length| Broken::of(name, at, Act::Hang, length, Left::Nothing);
    let points = [Point::Accepted, Point::Asked, Point::InHead, Point::AfterHead, Point::InBody];
    let mut all: Vec<Broken> = points.map(|at| row(format!("hangs {at:?}"), at, Length::Off(0))).into();
    all.push(row("never ends".into(), Point::AfterBody, Length::UntilClosed));
    all
}

/// Exchanges whose rest comes so slowly that there is no end of it.
#[must_use]
pub fn drips() -> Vec<Broken> {
    let row = |at| Broken::of(format!("drips {at:?}"), at, Act::Drip, Length::Off(0), Left::Nothing);
    [Point::Asked, Point::InHead, Point::AfterHead, Point::InBody].map(row).into()
}

/// A connection that has one answer, and never another.
#[must_use]
pub fn answers_once() -> Broken {
    Broken::of("answers once", Point::AfterBody, Act::Hang, Length::Off(0), Left::AnswerOrNothing)
}
