//! How an exchange is broken, whatever was asked.

use tests::fault_server::{Act, Answer, Fault, Point, brain::Ask, fault::Length};

use crate::{CALLS, FEW, counted::UNREACHABLE};

/// Spaces behind an answer that drips: for minutes.
const DRIPPED: usize = 10_000;
/// What the data plane says of a body that it cannot read.
pub const MALFORMED: &str = "malformed";
/// The rate in an answer that is broken: in the band, so that both models are called.
pub const RATE: &str = "0.8";

/// How an exchange is broken.
#[derive(Clone, Copy)]
pub struct Broken {
    pub at: Point,
    act: Act,
    length: Length,
}

impl Broken {
    /// The fault of an exchange that would have had this answer.
    pub fn answer(self, good: Answer) -> Fault {
        let Self { at, act, length } = self;
        let long = if act == Act::Drip { good.spaces(DRIPPED) } else { good };
        Fault { at, act, answer: long.length(length) }
    }

    /// Whether each request is read: not where a connection is open on which something else happens.
    pub fn is_always_read(self) -> bool {
        self.at != Point::Accepted && self.act != Act::Flood
    }

    /// All that the brain is asked for while there are calls is broken.
    pub fn all(self) -> Vec<(Ask, Fault)> {
        vec![self.rates(), self.entries()]
    }

    /// Rates alone are broken.
    pub fn rates(self) -> (Ask, Fault) {
        (Ask::Rate, self.answer(Answer::rate(RATE)))
    }

    /// Its log alone is broken.
    pub fn entries(self) -> (Ask, Fault) {
        (Ask::Entries, self.answer(Answer::logged()))
    }
}

/// What becomes of a request.
#[derive(Clone, Copy)]
pub enum Expected {
    /// Its good answer is used.
    Answered,
    /// An error of this kind.
    Error(&'static str),
    /// Either: what breaks a connection after its answer may break the next request on it.
    AnsweredOr(&'static str),
}

/// One row.
pub struct Case {
    pub name: String,
    pub calls: usize,
    pub broken: Broken,
    pub expected: Expected,
}

fn case(name: impl Into<String>, at: Point, act: Act, length: Length, expected: Expected) -> Case {
    // Each call has two exchanges with the brain: for the rate and with the record.
    let calls = if act == Act::GoOn { FEW } else { CALLS / 2 };
    Case { name: name.into(), calls, broken: Broken { at, act, length }, expected }
}

/// An exchange with nothing wrong.
fn whole() -> Case {
    case("whole", Point::AfterBody, Act::GoOn, Length::Off(0), Expected::Answered)
}

/// Connections that are closed or reset at each point. The last rows may break an exchange of the row after them.
pub fn cut_or_reset() -> Vec<Case> {
    let row = |at, act, expected| case(format!("{act:?} {at:?}"), at, act, Length::Off(0), expected);
    let mut cases = vec![whole()];
    for at in [Point::Accepted, Point::Asked, Point::InHead, Point::AfterHead, Point::InBody] {
        cases.extend([Act::Cut, Act::Reset].map(|act| row(at, act, Expected::Error(UNREACHABLE))));
    }
    cases.push(whole());
    cases.extend([Act::Cut, Act::Reset].map(|act| row(Point::AfterBody, act, Expected::AnsweredOr(UNREACHABLE))));
    cases
}

/// Bytes without end at each point, and bodies that end elsewhere than their head says.
pub fn floods_and_lengths() -> Vec<Case> {
    use Expected::{Answered, AnsweredOr, Error};
    use Length::{BadChunk, Chunked, NoNumber, Off, Twice, UntilClosed};
    let flood = |name: &str, at, length, expected| case(name, at, Act::Flood, length, expected);
    let framed = |name: &str, length, expected| case(name, Point::AfterBody, Act::GoOn, length, expected);
    vec![
        whole(),
        flood("bytes without end before the request", Point::Accepted, Off(0), Error(UNREACHABLE)),
        flood("bytes without end before the head", Point::Asked, Off(0), Error(UNREACHABLE)),
        flood("a head without end", Point::InHead, Off(0), Error(UNREACHABLE)),
        flood("spaces in place of the body", Point::AfterHead, Off(0), Error(MALFORMED)),
        flood("a body without end", Point::InBody, UntilClosed, Error(MALFORMED)),
        flood("a body of 1 GiB", Point::InBody, Off(1 << 30), Error(MALFORMED)),
        framed("a length that is too small", Off(-5), Error(MALFORMED)),
        case("a length that is too large", Point::AfterBody, Act::Cut, Off(10), Error(UNREACHABLE)),
        framed("a length that is no number", NoNumber, Error(UNREACHABLE)),
        framed("two lengths", Twice, Error(UNREACHABLE)),
        framed("a chunk whose size is no number", BadChunk, Error(UNREACHABLE)),
        framed("chunks", Chunked, Answered),
        framed("no length", UntilClosed, Answered),
        flood("bytes without end after the answer", Point::AfterBody, Off(0), AnsweredOr(UNREACHABLE)),
    ]
}

/// Exchanges that do not end, and nothing more comes.
pub fn hangs() -> Vec<Case> {
    let row = |name, at, length| case(name, at, Act::Hang, length, Expected::Error(UNREACHABLE));
    let each = [Point::Accepted, Point::Asked, Point::InHead, Point::AfterHead, Point::InBody];
    let mut cases: Vec<Case> = each.map(|at| row(format!("hangs {at:?}"), at, Length::Off(0))).into();
    cases.push(row("never ends".into(), Point::AfterBody, Length::UntilClosed));
    cases
}

/// Exchanges whose rest comes so slowly that there is no end of it.
pub fn drips() -> Vec<Case> {
    let row = |at| case(format!("drips {at:?}"), at, Act::Drip, Length::Off(0), Expected::Error(UNREACHABLE));
    [Point::Asked, Point::InHead, Point::AfterHead, Point::InBody].map(row).into()
}

/// A connection that has one answer, and never another.
pub fn answers_once() -> Case {
    case("answers once", Point::AfterBody, Act::Hang, Length::Off(0), Expected::AnsweredOr(UNREACHABLE))
}
