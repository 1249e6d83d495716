//! A plan: what a user does, what goes wrong meanwhile, and when. Pure: a seed is the same plan on every machine.

use std::fmt;

use super::{
    fault::{Act, Target},
    interference::Interference,
    perturbation::{CLUSTER_WIDE, CRASHES, PERTURBATIONS, Perturbation, What},
    scenario::{SCENARIOS, Scenario},
};

/// Plans in a row that have the same scenario, so that they share what it is compared with.
const IN_A_ROW: u64 = 5;
/// Seeds from here on are plans that everything else on the control plane would notice.
pub const CLUSTER_WIDE_FROM: u64 = 1 << 32;
/// Seeds from here on crash the operator at exactly one write.
const CRASHES_FROM: u64 = 1 << 33;
/// Writes of a scenario that a crash can be told for.
const WRITES_MAX: u64 = 256;
/// What [`When::Part`] counts.
const WHOLE: u64 = 1000;

/// A plan.
#[derive(Clone)]
pub struct Plan {
    /// What all of it follows from.
    pub seed: u64,
    /// What the user does, by its place in [`SCENARIOS`].
    pub scenario: usize,
    /// What goes wrong.
    pub perturbation: &'static Perturbation,
    /// When it does.
    when: When,
    /// Chooses where there is a choice, for example of the child that is deleted.
    pub choice: u64,
}

/// When it goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// After so many thousandths of what happens in a run without faults.
    Part(u64),
    /// At the n-th.
    Exactly(u64),
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        if seed >= CRASHES_FROM {
            return Self::crash(seed);
        }
        let table: &'static [Perturbation] = if seed < CLUSTER_WIDE_FROM { &PERTURBATIONS } else { &CLUSTER_WIDE };
        let (row, in_row) = (seed / IN_A_ROW, seed % IN_A_ROW);
        let (round, scenario) = (row / SCENARIOS.len() as u64, row % SCENARIOS.len() as u64);
        let columns = table.len() as u64 / IN_A_ROW;
        // Each scenario begins elsewhere in the table, so that rows that follow each other differ in both.
        let perturbation = in_row * columns + (round + scenario) % columns;
        let mut random = Random(seed);
        Self {
            seed,
            scenario: scenario as usize,
            perturbation: &table[perturbation as usize],
            when: When::Part(random.next() % WHOLE + 1),
            choice: random.next(),
        }
    }

    fn crash(seed: u64) -> Self {
        let number = seed - CRASHES_FROM;
        let scenario = number / (2 * WRITES_MAX) % SCENARIOS.len() as u64;
        Self {
            seed,
            scenario: scenario as usize,
            perturbation: &CRASHES[(number % 2) as usize],
            when: When::Exactly(number / 2 % WRITES_MAX),
            choice: 0,
        }
    }

    /// The plans that crash the operator before and after each of the writes of a scenario.
    pub fn crashes(scenario: usize, writes: u64) -> impl Iterator<Item = Self> {
        let seed = move |write: u64| CRASHES_FROM + (scenario as u64 * WRITES_MAX + write) * 2;
        (1..=writes.min(WRITES_MAX - 1)).flat_map(move |write| [seed(write), seed(write) + 1]).map(Self::from_seed)
    }

    /// What the user does.
    #[must_use]
    pub fn scenario(&self) -> &'static Scenario {
        &SCENARIOS[self.scenario]
    }

    /// The number of the request, write or event at which it goes wrong, of so many in a run without faults.
    #[must_use]
    pub fn point(&self, count: u64) -> u64 {
        match self.when {
            When::Part(part) => (count * part).div_ceil(WHOLE).max(1),
            When::Exactly(number) => number,
        }
    }

    /// Whether other plans would notice it.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        (CLUSTER_WIDE_FROM..CRASHES_FROM).contains(&self.seed)
    }

    /// The fault of a request or an event that it has: where, what, and how often in a row.
    #[must_use]
    pub fn fault(&self) -> Option<(Target, Act, u32)> {
        match self.perturbation.what {
            What::Fault(target, act, times) => Some((target, act, times)),
            What::Interference(_) => None,
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

/// The line of a seed: `SEEDS=17` runs it again.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, perturbation, .. } = self;
        let scenario = self.scenario().name;
        write!(f, "seed={seed} scenario={scenario} perturbation={} at=", perturbation.name)?;
        match self.when {
            When::Part(part) => write!(f, "{part}/{WHOLE}"),
            When::Exactly(number) => write!(f, "{number}"),
        }
    }
}

/// SplitMix64, so that no version of a library changes a plan.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
