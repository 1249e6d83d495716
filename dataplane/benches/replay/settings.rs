//! What goes wrong in a replay.

use std::ops::Range;

use crate::data::{Recorded, Skill};

/// Calls per skill.
pub const CALLS: usize = 1_200;
/// The last ones, in which the routes have had time to settle.
pub const TAIL: usize = 300;
/// The first call, counted from 0, of an outage or of another local model.
pub const FAULT: usize = 300;
/// The calls in which every local answer is wrong.
pub const OUTAGE: Range<usize> = FAULT..500;

/// A setting. The calls and answers are the same for all ways to route.
pub struct Setting<'a> {
    pub name: &'static str,
    pub skills: &'a [Skill],
    pub outage: Range<usize>,
    /// The first call that the local model's successor answers, under the same name.
    pub later_from: usize,
    /// The part of the verdicts that say the opposite.
    pub flipped: f64,
    /// The part of the answers that get a verdict.
    pub reported: f64,
    /// After so many calls every verdict has left the window.
    pub forgotten_every: usize,
    /// The part of the right answers that a reporter calls right.
    pub lenience: f64,
}

impl<'a> Setting<'a> {
    pub fn steady(skills: &'a [Skill]) -> Self {
        Self {
            name: "steady",
            skills,
            outage: 0..0,
            later_from: CALLS,
            flipped: 0.0,
            reported: 1.0,
            forgotten_every: CALLS,
            lenience: 1.0,
        }
    }

    pub fn all(recorded: &'a Recorded) -> Vec<Self> {
        let steady = || Self::steady(&recorded.math);
        let later = |name, skills: &'a [Skill]| Self { name, later_from: FAULT, ..Self::steady(skills) };
        vec![
            steady(),
            Self { name: "outage, calls 301 to 500", outage: OUTAGE, ..steady() },
            later("local model upgraded at call 301", &recorded.upgraded),
            later("local model degraded at call 301", &recorded.degraded),
            Self { name: "10 % of the verdicts flipped", flipped: 0.10, ..steady() },
            Self { name: "10 % of the answers reported", reported: 0.10, ..steady() },
            Self { name: "window empty after every 100 calls", forgotten_every: 100, ..steady() },
        ]
    }
}
