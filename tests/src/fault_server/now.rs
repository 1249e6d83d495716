//! Which request has which fault.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    FAULTY,
    fault::{Fault, Point},
};

/// Whose requests have the fault.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    /// Those of the model `faulty`.
    Faulty,
    /// Of these one in so many, by chance.
    FaultyOneOf(u32),
    /// Those of every model.
    All,
}

/// What is wrong now.
#[derive(Clone)]
pub(super) struct Now {
    /// At least one; there are more only for chance.
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

    /// The fault of a connection, whatever is asked on it.
    pub(super) fn of_a_connection(&self) -> Option<&Fault> {
        self.faults.first().filter(|fault| fault.at == Point::Accepted)
    }

    /// The fault of a request; none: it is answered well.
    pub(super) fn of_a_request(&self, text: &str) -> Option<&Fault> {
        let is_faulty = || text.contains(&format!(r#""model":"{FAULTY}""#));
        match self.whose {
            Whose::All => self.faults.first(),
            Whose::Faulty => self.faults.first().filter(|_| is_faulty()),
            Whose::FaultyOneOf(one_of) => self.drawn(one_of).filter(|_| is_faulty()),
        }
    }

    /// By the clock's nanoseconds, mixed: a load that lasts needs no better chance.
    fn drawn(&self, one_of: u32) -> Option<&Fault> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let mixed = nanos.wrapping_mul(2_654_435_761) >> 16;
        mixed.is_multiple_of(one_of).then(|| &self.faults[(mixed / one_of) as usize % self.faults.len()])
    }
}
