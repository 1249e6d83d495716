//! How plans ended.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use super::plan::Plan;

/// Most lines of a difference that are shown.
const LINES: usize = 40;

/// How a plan ended.
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// Its end.
    pub end: End,
    /// How long it took.
    pub took: Duration,
}

/// The end of a plan.
pub enum End {
    /// The cluster became what the policy says, although it went wrong.
    Equal,
    /// The cluster did, and what was to go wrong did not happen: there was no such request, event or object.
    NotReached,
    /// It did not: where it differs, and what the operator sent last.
    Divergent(Vec<String>),
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::NotReached => "not reached",
            Self::Divergent(_) => "DIVERGENT",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:11} {:5.1} s  {}", self.end.word(), self.took.as_secs_f64(), self.plan)?;
        let End::Divergent(lines) = &self.end else { return Ok(()) };
        lines.iter().take(LINES).try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// All of them.
pub struct Tally {
    began: Instant,
    outcomes: Vec<Outcome>,
}

/// How many plans ended so: equal, divergent, not reached.
#[derive(Default, Clone, Copy)]
struct Ends([usize; 3]);

impl Tally {
    /// The ends of plans that began then.
    #[must_use]
    pub fn new(began: Instant, outcomes: Vec<Outcome>) -> Self {
        Self { began, outcomes }
    }

    /// How many plans there were.
    #[must_use]
    pub fn plans(&self) -> usize {
        self.outcomes.len()
    }

    /// How many did not meet what was to go wrong.
    #[must_use]
    pub fn not_reached(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome.end, End::NotReached)).count()
    }

    /// How many diverged.
    #[must_use]
    pub fn divergent(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome.end, End::Divergent(_))).count()
    }
}

impl Ends {
    fn add(&mut self, end: &End) {
        let place = match end {
            End::Equal => 0,
            End::Divergent(_) => 1,
            End::NotReached => 2,
        };
        self.0[place] += 1;
    }
}

/// A table of the scenarios, and once more whatever diverged.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scenarios: BTreeMap<&str, Ends> = BTreeMap::new();
        for outcome in &self.outcomes {
            for row in [outcome.plan.scenario().name, "total"] {
                scenarios.entry(row).or_default().add(&outcome.end);
            }
        }
        let total = scenarios.remove("total").map(|ends| ("total", ends));
        writeln!(f, "\n| scenario | plans | equal | divergent | not reached |\n|---|---:|---:|---:|---:|")?;
        for (row, Ends([equal, divergent, not_reached])) in scenarios.into_iter().chain(total) {
            let plans = equal + divergent + not_reached;
            writeln!(f, "| {row} | {plans} | {equal} | {divergent} | {not_reached} |")?;
        }
        writeln!(f, "\n{} plans in {:.0} s", self.plans(), self.began.elapsed().as_secs_f64())?;
        let mut divergent = self.outcomes.iter().filter(|outcome| matches!(outcome.end, End::Divergent(_)));
        divergent.try_for_each(|outcome| writeln!(f, "\n{outcome}"))
    }
}

#[test]
fn the_table_counts_the_ends_of_each_scenario() {
    let outcome = |seed, end| Outcome { plan: Plan::from_seed(seed), end, took: Duration::from_secs(1) };
    let diverged = End::Divergent(vec!["Service edge/a: found 1".into()]);
    let outcomes = vec![outcome(0, End::Equal), outcome(1, End::NotReached), outcome(5, diverged)];
    let tally = Tally::new(Instant::now(), outcomes);
    let table = tally.to_string();
    for line in [
        "| create | 2 | 1 | 0 | 1 |",
        "| thresholds | 1 | 0 | 1 | 0 |",
        "| total | 3 | 1 | 1 | 1 |",
        "DIVERGENT     1.0 s  seed=5 scenario=thresholds perturbation=crash-after-write at=",
        "    Service edge/a: found 1",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    assert_eq!((tally.plans(), tally.divergent()), (3, 1));
}
