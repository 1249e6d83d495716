//! Which plans are to be run: those of `SEEDS`; or, with `CAMPAIGN_PLANS`, so many from the first one and those of a full
//! run; or else a random share, as many as `CAMPAIGN_SECONDS` have time for.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use tests::number;

use super::{
    plan::{CLUSTER_WIDE_FROM, Plan},
    scenario::SCENARIOS,
};

/// Fewest plans of a random share.
const LEAST: usize = 12;
/// How long a random share takes unless it is told.
const SECONDS: u64 = 80;
/// Scenarios of a random share whose references are made from the beginning.
const SCENARIOS_OF_A_SHARE: usize = 4;
/// Plans that would be noticed by others, in a full run: each of them with each scenario.
const CLUSTER_WIDE: u64 = 60;

/// What is to be run.
pub enum Requested {
    /// These, and no others.
    Seeds(Vec<u64>),
    /// So many from the first one, a crash around each write, and those that everything would notice.
    Full(u64),
    /// Those from this one on, for so long.
    Share(u64, Duration),
}

impl Requested {
    /// As the environment says.
    ///
    /// # Panics
    /// If it says something else than seeds and numbers.
    #[must_use]
    pub fn from_environment() -> Self {
        if let Some(text) = std::env::var("SEEDS").ok().filter(|text| !text.is_empty()) {
            return Self::Seeds(seeds(&text));
        }
        match number("CAMPAIGN_PLANS", 0) {
            0 => {
                let from = RandomState::new().hash_one(()) % CLUSTER_WIDE_FROM;
                Self::Share(from, Duration::from_secs(number("CAMPAIGN_SECONDS", SECONDS)))
            }
            plans => Self::Full(plans),
        }
    }

    /// Whether a crash around each write is part of it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// The plans that can run at the same time, as long as there is time.
    #[must_use]
    pub fn together(&self, began: Instant) -> Box<dyn Iterator<Item = Plan> + '_> {
        match self {
            Self::Seeds(seeds) => Box::new(plans(seeds.iter().copied()).filter(|plan| !plan.is_alone())),
            Self::Full(count) => Box::new(plans(0..*count)),
            Self::Share(from, time) => {
                // The last ones take their time, too.
                let last_start = *time * 3 / 5;
                let seeds = (0..).map(move |number: u64| (from + number) % CLUSTER_WIDE_FROM);
                let short = plans(seeds).filter(|plan| !plan.perturbation.takes_long()).enumerate();
                let in_time = move |(number, _): &(usize, Plan)| *number < LEAST || began.elapsed() < last_start;
                Box::new(short.take_while(in_time).map(|(_, plan)| plan))
            }
        }
    }

    /// The plans that run one after the other at the end; of a random share one, if there is time left.
    #[must_use]
    pub fn alone(&self, began: Instant) -> Vec<Plan> {
        match self {
            Self::Seeds(seeds) => plans(seeds.iter().copied()).filter(Plan::is_alone).collect(),
            Self::Full(_) => plans(CLUSTER_WIDE_FROM..CLUSTER_WIDE_FROM + CLUSTER_WIDE).collect(),
            Self::Share(_, time) if began.elapsed() > *time => vec![],
            Self::Share(from, _) => plans([CLUSTER_WIDE_FROM + from % CLUSTER_WIDE]).collect(),
        }
    }

    /// The scenarios whose references are needed soon.
    #[must_use]
    pub fn scenarios(&self) -> Vec<usize> {
        let mut all: Vec<usize> = match self {
            Self::Seeds(seeds) => plans(seeds.iter().copied()).map(|plan| plan.scenario).collect(),
            Self::Full(_) => (0..SCENARIOS.len()).collect(),
            Self::Share(from, _) => {
                let first = Plan::from_seed(*from).scenario;
                (first..first + SCENARIOS_OF_A_SHARE).map(|scenario| scenario % SCENARIOS.len()).collect()
            }
        };
        all.dedup();
        all
    }
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seeds(seeds) => write!(f, "{} plans", seeds.len()),
            Self::Full(count) => {
                write!(f, "{count} plans, a crash around each write, {CLUSTER_WIDE} plans of the whole cluster")
            }
            Self::Share(from, time) => write!(f, "plans from SEEDS={from}.. on, for {} s", time.as_secs()),
        }
    }
}

fn plans(seeds: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Plan> {
    seeds.into_iter().map(Plan::from_seed)
}

/// Seeds separated by commas, and from one to another as `100..160`, that one included. Each once.
fn seeds(text: &str) -> Vec<u64> {
    let seed = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("SEEDS: {text}: must be a number"));
    let part = |part: &str| match part.split_once("..") {
        Some((first, last)) => seed(first)..=seed(last),
        None => seed(part)..=seed(part),
    };
    let mut all: Vec<u64> = text.split(',').flat_map(part).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn seeds_are_numbers_and_ranges_of_them() {
    for (text, expected) in [("17", vec![17]), ("3, 1,1", vec![1, 3]), ("7..9,8", vec![7, 8, 9]), ("9..7", vec![])] {
        assert_eq!(seeds(text), expected, "{text}");
    }
}

#[test]
fn a_random_share_has_at_least_so_many_plans_and_none_that_takes_over_a_minute() {
    let share = Requested::Share(CLUSTER_WIDE_FROM - 3, Duration::ZERO);
    let plans: Vec<Plan> = share.together(Instant::now()).collect();
    assert_eq!(plans.len(), LEAST);
    assert!(plans.iter().all(|plan| !plan.perturbation.takes_long() && !plan.is_alone()));
    assert_eq!(Requested::Share(7, Duration::from_secs(60)).alone(Instant::now()).len(), 1);
}
