//! Which request has which fault.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    brain::Ask,
    fault::{Fault, Point},
    plays::Asked,
};

/// Whose requests have the fault.
#[derive(Clone)]
pub(super) enum Whose {
    /// Those of the model `faulty`.
    Faulty,
    /// Of these one in so many, by chance.
    FaultyOneOf(u32),
    /// Those of every model.
    All,
    /// Those of a brain's that ask for this, for each fault.
    Asking(Arc<[Ask]>),
}

/// What is wrong now.
#[derive(Clone)]
pub(super) struct Now {
    /// At least one, unless it is a brain; there are more for chance, and for different requests.
    faults: Arc<[Fault]>,
    whose: Whose,
}

impl Now {
    pub(super) fn of(fault: Fault, whose: Whose) -> Self {
        Self { faults: [fault].into(), whose }
    }

    pub(super) fn by_chance(one_of: u32, faults: Vec<Fault>) -> Self {
        let of_requests = faults.iter().all(|fault| fault.at != Point::Accepted);
        assert!(!faults.is_empty() && of_requests, "by chance only a request has a fault");
        Self { faults: faults.into(), whose: Whose::FaultyOneOf(one_of) }
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
            (Whose::FaultyOneOf(one_of), Asked::Model { is_faulty: true, .. }) => self.drawn(*one_of),
            (Whose::Asking(asks), Asked::Brain { ask, turn, .. }) => self.in_turn(asks, *ask, *turn),
            _ => None,
        }
    }

    fn in_turn(&self, asks: &[Ask], ask: Ask, turn: usize) -> Option<&Fault> {
        let faults: Vec<&Fault> =
            asks.iter().zip(self.faults.iter()).filter(|(of, _)| **of == ask).map(|(_, fault)| fault).collect();
        faults.get(turn % faults.len().max(1)).copied()
    }

    /// By the clock's nanoseconds, mixed: a load that lasts needs no better chance.
    fn drawn(&self, one_of: u32) -> Option<&Fault> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let mixed = nanos.wrapping_mul(2_654_435_761) >> 16;
        mixed.is_multiple_of(one_of).then(|| &self.faults[(mixed / one_of) as usize % self.faults.len()])
    }
}
