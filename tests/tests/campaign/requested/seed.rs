//! The seeds that are to be run again: `17`, `100..160`, or a seed with its point, as a plan's line has it.

use crate::{plan::Plan, point::Point};

/// A seed, with its point if the line of a plan told it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seed {
    number: u64,
    point: Option<Point>,
}

impl Seed {
    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan { point: self.point.clone(), ..Plan::from_seed(self.number) }
    }
}

/// Seeds separated by commas, and from one to another as `100..160`, that one included. Each once.
///
/// # Panics
/// If it is something else.
pub fn seeds(text: &str) -> Vec<Seed> {
    let mut all: Vec<Seed> = text.split(',').flat_map(|part| some(part.trim())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn some(part: &str) -> Vec<Seed> {
    if let Some((seed, point)) = part.split_once('@') {
        let point = point.parse::<Point>().unwrap_or_else(|why| panic!("SEEDS: {why}"));
        return vec![Seed { number: number(seed), point: Some(point) }];
    }
    let (first, last) = part.split_once("..").unwrap_or((part, part));
    (number(first)..=number(last)).map(|number| Seed { number, point: None }).collect()
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("SEEDS: {text}: must be a number"))
}

#[test]
fn seeds_are_numbers_ranges_of_them_and_numbers_with_a_point() {
    let shown = |seed: &Seed| {
        let point = seed.point.as_ref().map(|point| format!("@{point}"));
        format!("{}{}", seed.number, point.unwrap_or_default())
    };
    for (text, expected) in [
        ("17", "17"),
        ("3, 1,1", "1 3"),
        ("7..9,8", "7 8 9"),
        ("9..7", ""),
        ("17@list:pods[routing]:2,17,4", "4 17 17@list:pods[routing]:2"),
    ] {
        assert_eq!(seeds(text).iter().map(shown).collect::<Vec<_>>().join(" "), expected, "{text}");
    }
    let plan = seeds("17@apply:services/edge:2")[0].plan();
    assert!(plan.to_string().starts_with("seed=17@apply:services/edge:2 scenario="), "{plan}");
}
