//! Which request has which fault.

use std::sync::Arc;

use super::{
    brain::Ask,
    fault::{Fault, Point},
    number_in,
    plays::Asked,
};
use crate::random::Random;

/// Whose requests have the fault.
#[derive(Clone)]
pub(super) enum Whose {
    /// Those of the model `faulty`.
    Faulty,
    /// Of these one in so many, drawn with a seed.
    FaultyOneOf { requests: u32, seed: u64 },
    /// Those of every model.
    All,
    /// Those of a brain's that ask for this, for each fault.
    Asking(Arc<[Ask]>),
}

/// What is wrong now.
#[derive(Clone)]
pub(super) struct Now {
    /// At least one, unless it is a brain; there are more to draw from, and for different requests.
    faults: Arc<[Fault]>,
    whose: Whose,
}

impl Now {
    pub(super) fn of(fault: Fault, whose: Whose) -> Self {
        Self { faults: [fault].into(), whose }
    }

    pub(super) fn drawn(requests: u32, faults: Vec<Fault>, seed: u64) -> Self {
        let of_requests = faults.iter().all(|fault| fault.at != Point::Accepted);
        assert!(!faults.is_empty() && of_requests, "a fault is drawn for a request only");
        Self { faults: faults.into(), whose: Whose::FaultyOneOf { requests, seed } }
    }

    /// Each fault is for the requests that ask for this; of several for the same, each is had in turn.
    pub(super) fn of_a_brain(faults: Vec<(Ask, Fault)>) -> Self {
        let (asks, faults): (Vec<_>, Vec<_>) = faults.into_iter().unzip();
        Self { faults: faults.into(), whose: Whose::Asking(asks.into()) }
    }

    /// The fault of a connection, whatever is asked on it.
    pub(super) fn of_a_connection(&self) -> Option<&Fault> {
        self.faults.first().filter(|fault| fault.at == Point::Accepted)
    }

    /// The fault of a request; none: it is answered well.
    pub(super) fn of_a_request(&self, asked: &Asked) -> Option<&Fault> {
        match (&self.whose, asked) {
            (Whose::All, _) | (Whose::Faulty, Asked::Model { is_faulty: true, .. }) => self.faults.first(),
            (Whose::FaultyOneOf { requests, seed }, Asked::Model { is_faulty: true, marker }) => {
                self.of_a_number(u64::try_from(number_in(marker)?).ok()?, *requests, *seed)
            }
            (Whose::Asking(asks), Asked::Brain { ask, turn, .. }) => self.in_turn(asks, *ask, *turn),
            _ => None,
        }
    }

    fn in_turn(&self, asks: &[Ask], ask: Ask, turn: usize) -> Option<&Fault> {
        let faults: Vec<&Fault> =
            asks.iter().zip(self.faults.iter()).filter(|(of, _)| **of == ask).map(|(_, fault)| fault).collect();
        faults.get(turn % faults.len().max(1)).copied()
    }

    /// By the number of the call and nothing else: not by the time, so that a run can be repeated.
    fn of_a_number(&self, number: u64, requests: u32, seed: u64) -> Option<&Fault> {
        let begin = Random(seed).draw();
        let (drawn, requests) = (Random(begin.wrapping_add(number)).draw(), u64::from(requests));
        let which = usize::try_from(drawn / requests).unwrap_or(usize::MAX) % self.faults.len();
        drawn.is_multiple_of(requests).then(|| &self.faults[which])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_server::{Failure, marker};

    const CALLS: usize = 20_000;
    /// One of so many has a fault.
    const ONE_OF: u32 = 10;
    const FAULTY: usize = CALLS / 10;

    /// The statuses that the faults of calls have; 0 is that of none.
    fn drawn(seed: u64) -> Vec<u16> {
        let faults = [Failure::Refuses, Failure::TooMany, Failure::Overloaded].map(Failure::fault).into();
        let now = Now::drawn(ONE_OF, faults, seed);
        let asked = |call| Asked::Model { is_faulty: true, marker: marker(call) };
        (0..CALLS).map(|call| now.of_a_request(&asked(call)).map_or(0, |fault| fault.answer.status)).collect()
    }

    #[test]
    fn a_seed_draws_the_same_faults_for_the_same_calls() {
        assert_eq!(drawn(7), drawn(7));
        let (one, other) = (drawn(7), drawn(8));
        let both = one.iter().zip(&other).filter(|(one, other)| **one > 0 && **other > 0).count();
        assert!((FAULTY / 20..FAULTY / 5).contains(&both), "{both} of {CALLS} calls fail with both seeds");
    }

    #[test]
    fn one_call_in_so_many_has_a_fault_and_each_fault_has_its_share() {
        let drawn = drawn(1);
        for status in [502, 429, 529] {
            let found = drawn.iter().filter(|drawn| **drawn == status).count();
            assert!((FAULTY / 4..FAULTY * 5 / 12).contains(&found), "{found} of {CALLS} calls have {status}");
        }
    }

    #[test]
    fn a_request_without_a_number_and_one_of_another_model_have_no_fault() {
        let now = Now::drawn(1, vec![Failure::TooMany.fault()], 0);
        let asked = |is_faulty, marker: &str| Asked::Model { is_faulty, marker: marker.into() };
        assert!(now.of_a_request(&asked(true, &marker(3))).is_some());
        assert!(now.of_a_request(&asked(true, "")).is_none());
        assert!(now.of_a_request(&asked(false, &marker(3))).is_none());
    }
}
