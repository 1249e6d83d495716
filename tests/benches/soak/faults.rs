//! The ways in which the two models fail.

use tests::fault_server::{Act, Answer, Failure, Fault, Point, fault::Length};

/// Brackets of a document that is deeper than anything parses.
const DEEP: usize = 100_000;

/// How the local model fails: the usual ways, and exchanges that end early, never end, lie about their length, or carry
/// what is no answer.
pub fn of_the_local_model() -> Vec<Fault> {
    let usual = Failure::ALL.map(Failure::fault).into_iter();
    usual.chain(broken_off()).chain(floods()).chain(wrong_lengths()).chain(no_answers()).collect()
}

/// How Claude's endpoint fails: it is overloaded, it hangs, it breaks off.
pub fn of_claude() -> Vec<Fault> {
    vec![Failure::Overloaded.fault(), Failure::Hangs.fault(), Fault::at(Point::InBody, Act::Cut)]
}

fn broken_off() -> impl Iterator<Item = Fault> {
    let points = [Point::Asked, Point::InHead, Point::AfterHead, Point::InBody, Point::AfterBody];
    points.into_iter().flat_map(|at| [Act::Cut, Act::Reset].map(|act| Fault::at(at, act)))
}

fn floods() -> impl Iterator<Item = Fault> {
    let flood = |(at, length)| Fault { at, act: Act::Flood, answer: Answer::good().length(length) };
    let ends =
        [(Point::InHead, Length::Off(0)), (Point::InBody, Length::UntilClosed), (Point::InBody, Length::Off(1 << 30))];
    ends.into_iter().map(flood)
}

fn wrong_lengths() -> impl Iterator<Item = Fault> {
    let lengths = [Length::Off(-5), Length::Twice, Length::NoNumber, Length::BadChunk];
    let whole = lengths.map(|length| Fault::answer(Answer::good().length(length))).into_iter();
    whole.chain([Fault { act: Act::Cut, ..Fault::answer(Answer::good().length(Length::Off(10))) }])
}

fn no_answers() -> impl Iterator<Item = Fault> {
    let invalid = &b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"[..];
    let answers = [
        Answer::of(""),
        Answer::of(r#"{"choices":[{"message":{"content":"half"#),
        Answer::of("<html>Bad gateway</html>").header("content-type", "text/html"),
        Answer::of(invalid),
        Answer::of("[".repeat(DEEP)),
        Answer::of(r#"{"choices":[{"message":{}}]}"#),
        Answer::of(r#"{"error":{"message":"not now","type":"server_error"}}"#),
    ];
    answers.map(Fault::answer).into_iter()
}
