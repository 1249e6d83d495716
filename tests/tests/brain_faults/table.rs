//! Broken exchanges with the brain, as data: which requests meet them, and what the data plane calls them.

use tests::fault_server::{
    Answer, Fault,
    brain::Ask,
    broken::{self, Broken, Errors},
};

use crate::counted::UNREACHABLE;

/// What the data plane says of a body that it cannot read.
pub const MALFORMED: &str = "malformed";
/// What it says of an exchange without an answer.
pub const ERRORS: Errors = Errors { nothing: UNREACHABLE, too_much: MALFORMED, nonsense: MALFORMED };
/// The rate in an answer that is broken: in the band, so that both models are called.
pub const RATE: &str = "0.8";

/// All that the brain is asked for while there are calls is broken.
pub fn all(broken: &Broken) -> Vec<(Ask, Fault)> {
    vec![rates(broken), entries(broken)]
}

/// Rates alone are broken.
pub fn rates(broken: &Broken) -> (Ask, Fault) {
    (Ask::Rate, broken.fault(Answer::rate(RATE)))
}

/// Its log alone is broken.
pub fn entries(broken: &Broken) -> (Ask, Fault) {
    (Ask::Entries, broken.fault(Answer::logged()))
}

/// Connections that are closed or reset at each point; before and after those that surely are, nothing is wrong.
pub fn cuts_and_resets() -> Vec<Broken> {
    let (either, surely): (Vec<_>, Vec<_>) =
        broken::cuts_and_resets().into_iter().partition(Broken::may_break_the_next);
    [vec![Broken::whole()], surely, vec![Broken::whole()], either].concat()
}

/// Bytes without end, and wrong lengths, once nothing was wrong.
pub fn floods_and_lengths() -> Vec<Broken> {
    [vec![Broken::whole()], broken::floods_and_lengths()].concat()
}

/// Whatever breaks an exchange without a hang. Last come those that may break one of the row after them.
pub fn whatever_ends() -> Vec<Broken> {
    let mut all = [floods_and_lengths(), cuts_and_resets()].concat();
    all.sort_by_key(Broken::may_break_the_next);
    all
}
