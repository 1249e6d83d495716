//! A plan: what a user does, what goes wrong meanwhile, and at which point. Pure: a seed with its point is the same plan on
//! every machine.

use std::fmt;

use super::{
    fault::{Fault, Target},
    interference::Interference,
    perturbation::{CLUSTER_WIDE, CRASHES, OF_EVERY_REQUEST, PERTURBATIONS, Perturbation, What},
    point::{Point, Recorded},
    random::{Random, weight},
    scenario::{SCENARIOS, Scenario},
};

/// Plans in a row that have the same scenario, so that they share what it is compared with.
const IN_A_ROW: u64 = 5;
/// Seeds from here on are plans that everything else on the control plane would notice.
pub const CLUSTER_WIDE_FROM: u64 = 1 << 32;
/// Seeds from here on crash the operator before or after a write.
const CRASHES_FROM: u64 = 1 << 33;
/// Seeds from here on do to a request what is done to every request.
const REQUESTS_FROM: u64 = 1 << 34;

/// A plan.
#[derive(Clone)]
pub struct Plan {
    /// What all of it but the point follows from.
    pub seed: u64,
    /// What the user does, by its place in [`SCENARIOS`].
    pub scenario: usize,
    /// What goes wrong.
    pub perturbation: &'static Perturbation,
    /// Chooses where there is a choice, for example of the child that is deleted.
    pub choice: u64,
    /// Where it goes wrong; none: the seed chooses among those of a run without faults.
    pub point: Option<Point>,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let (scenario, perturbation) = match seed {
            0..CLUSTER_WIDE_FROM => in_rows(seed, &PERTURBATIONS),
            CLUSTER_WIDE_FROM..CRASHES_FROM => in_rows(seed - CLUSTER_WIDE_FROM, &CLUSTER_WIDE),
            CRASHES_FROM..REQUESTS_FROM => in_turn(seed - CRASHES_FROM, &CRASHES),
            REQUESTS_FROM.. => in_turn(seed - REQUESTS_FROM, &OF_EVERY_REQUEST),
        };
        Self { seed, scenario, perturbation, choice: Random(seed).draw(), point: None }
    }

    /// The plan that crashes the operator on this side of a write of a scenario.
    #[must_use]
    pub fn crash(scenario: usize, side: usize) -> Self {
        Self::from_seed(CRASHES_FROM + (scenario * CRASHES.len() + side) as u64)
    }

    /// The plan with this fault of a request of a scenario, by its place in [`OF_EVERY_REQUEST`].
    #[must_use]
    pub fn of_request(scenario: usize, fault: usize) -> Self {
        Self::from_seed(REQUESTS_FROM + (scenario * OF_EVERY_REQUEST.len() + fault) as u64)
    }

    /// The same at this point.
    #[must_use]
    pub fn at(self, point: Point) -> Self {
        Self { point: Some(point), ..self }
    }

    /// The same at a point of a run without faults, if it has none yet. The choice stays the same one when another run has a few
    /// points more or less.
    #[must_use]
    pub fn at_one_of(self, recorded: &[Recorded]) -> Self {
        let target = match self.perturbation.what {
            What::Fault(target, ..) => target,
            What::Interference(_) => Target::Write,
        };
        let heaviest = |point: &&Point| weight(self.choice, point);
        let chosen = target.points(recorded).into_iter().max_by_key(heaviest).cloned();
        Self { point: self.point.clone().or(chosen), ..self }
    }

    /// What the user does.
    #[must_use]
    pub fn scenario(&self) -> &'static Scenario {
        &SCENARIOS[self.scenario]
    }

    /// Its namespace: no other plan has it.
    #[must_use]
    pub fn namespace(&self) -> String {
        let point = self.point.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("campaign-{}-{:08x}", self.seed, weight(0, point) >> 32)
    }

    /// Whether other plans would notice it.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        (CLUSTER_WIDE_FROM..CRASHES_FROM).contains(&self.seed)
    }

    /// Its seed, with its point.
    fn id(&self) -> String {
        let point = self.point.as_ref().map(|point| format!("@{point}")).unwrap_or_default();
        format!("{}{point}", self.seed)
    }

    /// The command that runs it again.
    #[must_use]
    pub fn again(&self) -> String {
        format!("make campaign SEEDS='{}'", self.id())
    }

    /// The fault of a request or an event that it has.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match (self.perturbation.what, self.point.clone()) {
            (What::Fault(_, act, times), Some(point)) => Some(Fault { point, act, times }),
            _ => None,
        }
    }

    /// What others do.
    #[must_use]
    pub fn interference(&self) -> Option<Interference> {
        match self.perturbation.what {
            What::Fault(..) => None,
            What::Interference(interference) => Some(interference),
        }
    }
}

/// Each scenario begins elsewhere in the table, so that rows that follow each other differ in both.
fn in_rows(number: u64, table: &'static [Perturbation]) -> (usize, &'static Perturbation) {
    let (row, in_row, scenarios) = (number / IN_A_ROW, number % IN_A_ROW, SCENARIOS.len() as u64);
    let (round, scenario) = (row / scenarios, row % scenarios);
    let columns = table.len() as u64 / IN_A_ROW;
    let perturbation = in_row * columns + (round + scenario) % columns;
    (scenario as usize, &table[perturbation as usize])
}

/// All of the table with the first scenario, then with the next one.
fn in_turn(number: u64, table: &'static [Perturbation]) -> (usize, &'static Perturbation) {
    let (length, scenarios) = (table.len() as u64, SCENARIOS.len() as u64);
    ((number / length % scenarios) as usize, &table[(number % length) as usize])
}

/// The line of a plan: `SEEDS=` with what follows `seed=` runs it again.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={} scenario={} perturbation={}", self.id(), self.scenario().name, self.perturbation.name)
    }
}

#[cfg(test)]
mod tests;
