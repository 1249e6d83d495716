//! Which plans are to be run: those of `SEEDS`; or a full run, or some of its parts, as `CAMPAIGN_PARTS` says; or else
//! [`CHOSEN`] and a random share, as many as `CAMPAIGN_SECONDS` have time for.

mod seed;

use std::{
    collections::BTreeSet,
    fmt,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use ::tests::number;

use self::seed::{Seed, seeds};
use super::{
    perturbation::{CLUSTER_WIDE, PERTURBATIONS},
    plan::{CLUSTER_WIDE_FROM, Plan},
    scenario::SCENARIOS,
};

/// Fewest plans of a random share: as many as run at a time, so that a slow machine takes not much longer.
const LEAST: usize = 6;
/// How long the chosen plans and the random ones take together, unless it is told: `make test` has two minutes for them and the
/// start of the control plane.
const SECONDS: u64 = 90;
/// What once went wrong with the operator or with the campaign; of one scenario, so that they share its reference.
const CHOSEN: &str = "38,114,189,635,714,939";
/// Scenarios of a random share whose references are made from the beginning.
const SCENARIOS_OF_A_SHARE: usize = 4;

/// What is to be run.
pub enum Requested {
    /// These, and no others.
    Seeds(Vec<Seed>),
    /// These parts of a full run.
    Parts(Parts),
    /// What is chosen, and those from this one on, for so long.
    Share(u64, Duration),
}

/// Parts of a full run.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Which.
    pub which: BTreeSet<Part>,
    /// How many plans of the table.
    pub table: u64,
    /// Whether requests have every fault in every scenario, and not in one.
    pub everywhere: bool,
}

/// A part of a full run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Each scenario with each perturbation.
    Table,
    /// A crash around each write of each scenario.
    Crashes,
    /// Each fault of each request.
    Requests,
    /// What every other plan would notice.
    Alone,
}

impl Part {
    const ALL: [(&'static str, Self); 4] =
        [("table", Self::Table), ("crashes", Self::Crashes), ("requests", Self::Requests), ("alone", Self::Alone)];
}

impl Parts {
    /// Those with these names, with so many plans of the table; 0: all.
    ///
    /// # Panics
    /// If there is no part with such a name.
    fn named(text: &str, table: u64, everywhere: bool) -> Self {
        let part = |name: &str| {
            let found = Part::ALL.into_iter().find(|(known, _)| *known == name);
            found.unwrap_or_else(|| panic!("PARTS: {name}: must be all, table, crashes, requests or alone")).1
        };
        let which = match text {
            "all" => Part::ALL.into_iter().map(|(_, part)| part).collect(),
            some => some.split(',').map(|name| part(name.trim())).collect(),
        };
        let all = (SCENARIOS.len() * PERTURBATIONS.len()) as u64;
        Self { which, table: if table == 0 { all } else { table }, everywhere }
    }
}

impl Requested {
    /// As the environment says.
    ///
    /// # Panics
    /// If it says something else than seeds, parts and numbers.
    #[must_use]
    pub fn from_environment() -> Self {
        let text = |variable: &str| std::env::var(variable).ok().filter(|text| !text.is_empty());
        if let Some(text) = text("SEEDS") {
            return Self::Seeds(seeds(&text));
        }
        if let Some(parts) = text("CAMPAIGN_PARTS") {
            let everywhere = text("CAMPAIGN_EVERYWHERE").is_some();
            return Self::Parts(Parts::named(&parts, number("CAMPAIGN_PLANS", 0), everywhere));
        }
        let from = RandomState::new().hash_one(()) % CLUSTER_WIDE_FROM;
        Self::Share(from, Duration::from_secs(number("CAMPAIGN_SECONDS", SECONDS)))
    }

    /// The parts of a full run that it is.
    #[must_use]
    pub fn parts(&self) -> Option<&Parts> {
        if let Self::Parts(parts) = self { Some(parts) } else { None }
    }

    /// The plans that can run at the same time, as long as there is time; without those that are made of what an operator was
    /// seen to send.
    #[must_use]
    pub fn together(&self, began: Instant) -> Box<dyn Iterator<Item = Plan> + '_> {
        match self {
            Self::Seeds(seeds) => Box::new(seeds.iter().map(Seed::plan).filter(|plan| !plan.is_alone())),
            Self::Parts(parts) if parts.which.contains(&Part::Table) => Box::new(plans(0..parts.table)),
            Self::Parts(_) => Box::new(std::iter::empty()),
            Self::Share(from, time) => {
                // The last ones take their time, too, and so does the one that runs alone.
                let last_start = *time / 2;
                let seeds = (0..).map(move |number: u64| (from + number) % CLUSTER_WIDE_FROM);
                let short = plans(seeds).filter(|plan| !plan.perturbation.takes_long()).enumerate();
                let in_time = move |(number, _): &(usize, Plan)| *number < LEAST || began.elapsed() < last_start;
                Box::new(chosen().chain(short.take_while(in_time).map(|(_, plan)| plan)))
            }
        }
    }

    /// The plans that run one after the other at the end; of a random share one, which runs whatever the time is.
    #[must_use]
    pub fn alone(&self) -> Vec<Plan> {
        let all = (SCENARIOS.len() * CLUSTER_WIDE.len()) as u64;
        match self {
            Self::Seeds(seeds) => seeds.iter().map(Seed::plan).filter(Plan::is_alone).collect(),
            Self::Parts(parts) if parts.which.contains(&Part::Alone) => {
                plans(CLUSTER_WIDE_FROM..CLUSTER_WIDE_FROM + all).collect()
            }
            Self::Parts(_) => vec![],
            Self::Share(from, _) => plans([CLUSTER_WIDE_FROM + from % all]).collect(),
        }
    }

    /// The scenarios whose references are needed soon.
    #[must_use]
    pub fn scenarios(&self) -> Vec<usize> {
        let all: BTreeSet<usize> = match self {
            Self::Seeds(seeds) => seeds.iter().map(|seed| seed.plan().scenario).collect(),
            Self::Parts(_) => (0..SCENARIOS.len()).collect(),
            Self::Share(from, _) => {
                let first = Plan::from_seed(*from).scenario;
                let next = (first..first + SCENARIOS_OF_A_SHARE).map(|scenario| scenario % SCENARIOS.len());
                let others = chosen().chain(self.alone()).map(|plan| plan.scenario);
                next.chain(others).collect()
            }
        };
        all.into_iter().collect()
    }

    /// The largest part of the plans that may run without meeting what was to go wrong, as one of so many. What is chosen by
    /// hand is not judged.
    #[must_use]
    pub fn unreached_at_most(&self) -> Option<usize> {
        match self {
            Self::Seeds(_) => None,
            Self::Parts(_) => Some(5),
            // Of few plans, chance makes it a large part.
            Self::Share(..) => Some(3),
        }
    }
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seeds(seeds) => write!(f, "{} plans", seeds.len()),
            Self::Parts(parts) => {
                let names = Part::ALL.into_iter().filter(|(_, part)| parts.which.contains(part)).map(|(name, _)| name);
                let names: Vec<&str> = names.collect();
                let requests = if parts.everywhere { "everywhere" } else { "once" };
                write!(f, "parts: {}; {} plans of the table, requests {requests}", names.join(", "), parts.table)
            }
            Self::Share(from, time) => {
                let (chosen, seconds) = (chosen().count(), time.as_secs());
                write!(f, "{chosen} chosen plans, and random ones from SEEDS={from} on, for {seconds} s")
            }
        }
    }
}

fn chosen() -> impl Iterator<Item = Plan> {
    seeds(CHOSEN).into_iter().map(|seed| seed.plan())
}

fn plans(seeds: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Plan> {
    seeds.into_iter().map(Plan::from_seed)
}

#[cfg(test)]
mod tests;
