//! How all plans ended, as tables.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::outcome::{End, Outcome};

/// All of them.
pub struct Tally {
    took: Duration,
    outcomes: Vec<Outcome>,
}

/// How many plans ended so.
#[derive(Default, Clone, Copy)]
struct Ends {
    plans: usize,
    equal: usize,
    divergent: usize,
    unended: usize,
    unreached: usize,
}

impl Tally {
    /// The ends of plans that took so long together.
    #[must_use]
    pub fn new(took: Duration, outcomes: Vec<Outcome>) -> Self {
        Self { took, outcomes }
    }

    /// How many plans there were.
    #[must_use]
    pub fn plans(&self) -> usize {
        self.outcomes.len()
    }

    /// How many did not meet what was to go wrong.
    #[must_use]
    pub fn unreached(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_unreached()).count()
    }

    /// How many diverged or did not end.
    #[must_use]
    pub fn wrong(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_wrong()).count()
    }

    /// The ends by something that plans have in common.
    fn by(&self, what: impl Fn(&Outcome) -> &'static str) -> BTreeMap<&'static str, Ends> {
        let mut all: BTreeMap<&str, Ends> = BTreeMap::new();
        self.outcomes.iter().for_each(|outcome| all.entry(what(outcome)).or_default().add(outcome));
        all
    }
}

impl Ends {
    fn add(&mut self, outcome: &Outcome) {
        self.plans += 1;
        match outcome.end {
            End::Equal if outcome.struck => self.equal += 1,
            End::Equal => self.unreached += 1,
            End::Divergent(_) => self.divergent += 1,
            End::Endless(_) => self.unended += 1,
        }
    }
}

/// A table of the scenarios, one of the perturbations, and once more whatever is wrong.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.by(|_| "total");
        table(f, "scenario", self.by(|outcome| outcome.plan.scenario().name).into_iter().chain(total))?;
        table(f, "perturbation", self.by(|outcome| outcome.plan.perturbation.name))?;
        writeln!(f, "\n{} plans in {} s", self.plans(), self.took.as_secs())?;
        let mut wrong = self.outcomes.iter().filter(|outcome| outcome.is_wrong());
        wrong.try_for_each(|outcome| writeln!(f, "\n{outcome}"))
    }
}

fn table(f: &mut fmt::Formatter<'_>, title: &str, rows: impl IntoIterator<Item = (&'static str, Ends)>) -> fmt::Result {
    writeln!(f, "\n| {title} | plans | struck and equal | divergent | did not end | not reached |")?;
    writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
    rows.into_iter().try_for_each(|(name, Ends { plans, equal, divergent, unended, unreached })| {
        writeln!(f, "| {name} | {plans} | {equal} | {divergent} | {unended} | {unreached} |")
    })
}

#[test]
fn the_tables_count_the_ends_of_each_scenario_and_of_each_perturbation() {
    let outcome = |seed, struck, end| Outcome {
        plan: super::plan::Plan::from_seed(seed),
        struck,
        end,
        took: Duration::from_secs(1),
    };
    let diverged = End::Divergent(vec!["Service edge/a: found 1".into()]);
    let outcomes = vec![
        outcome(0, true, End::Equal),
        outcome(0, false, End::Equal),
        outcome(5, true, diverged),
        outcome(5, false, End::Endless("waited".into())),
    ];
    let tally = Tally::new(Duration::from_secs(9), outcomes);
    let text = tally.to_string();
    for line in [
        "| create | 2 | 1 | 0 | 0 | 1 |",
        "| thresholds | 2 | 0 | 1 | 1 | 0 |",
        "| total | 4 | 1 | 1 | 1 | 1 |",
        "| crash-before-write | 2 | 1 | 0 | 0 | 1 |",
        "4 plans in 9 s",
        "    Service edge/a: found 1",
        "    waited",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!((tally.plans(), tally.wrong(), tally.unreached()), (4, 2, 1));
}
