use std::{collections::BTreeSet, time::Instant};

use super::*;

fn recorded(points: &[&str]) -> Vec<Recorded> {
    let recorded =
        |point: &&str| Recorded { point: point.parse().expect("a point"), at: Instant::now(), is_news: false };
    points.iter().map(recorded).collect()
}

#[test]
fn a_seed_is_the_same_plan_each_time_and_its_line_says_which() {
    for (seed, line) in [
        (0, "seed=0 scenario=create perturbation=crash-before-write"),
        (5, "seed=5 scenario=thresholds perturbation=crash-after-write"),
        (CLUSTER_WIDE_FROM, "seed=4294967296 scenario=create perturbation=definition-newer"),
        (CRASHES_FROM + 3, "seed=8589934595 scenario=thresholds perturbation=crash-after-write"),
        (REQUESTS_FROM + 8, "seed=17179869192 scenario=thresholds perturbation=request-422"),
    ] {
        let plan = Plan::from_seed(seed);
        assert_eq!(plan.to_string(), line);
        assert_eq!((plan.choice, plan.is_alone()), (Plan::from_seed(seed).choice, line.contains("definition")));
    }
    assert_eq!(Plan::crash(1, 1).seed, CRASHES_FROM + 3);
    assert_eq!(Plan::of_request(1, 1).seed, REQUESTS_FROM + 8);
}

#[test]
fn the_first_seeds_have_every_scenario_with_every_perturbation() {
    let pair = |seed| {
        let plan = Plan::from_seed(seed);
        (plan.scenario().name, plan.perturbation.name)
    };
    for (first, table) in [(0, PERTURBATIONS.len()), (CLUSTER_WIDE_FROM, CLUSTER_WIDE.len())] {
        let all = SCENARIOS.len() * table;
        let pairs: BTreeSet<_> = (first..first + all as u64).map(pair).collect();
        assert_eq!(pairs.len(), all);
        assert_eq!(table as u64 % IN_A_ROW, 0);
    }
}

#[test]
fn the_point_of_a_seed_is_chosen_of_those_that_it_can_happen_at_and_stays_when_others_come() {
    let points = ["get:services/edge:1", "apply:services/edge:1", "apply:services/edge:2", "patch:leases/l:1"];
    let chosen = |seed, points: &[&str]| Plan::from_seed(seed).at_one_of(&recorded(points)).point;
    let all: BTreeSet<_> = (0..40).filter_map(|seed| chosen(CRASHES_FROM + seed, &points)).collect();
    assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), points[1..3], "each write, and nothing else");
    let first = chosen(0, &points).expect("a point");
    let with_more = [&points[..], &["get:pods:1", "list:pods[x]:1"]].concat();
    assert_eq!(chosen(0, &with_more), Some(first.clone()));
    assert_eq!(chosen(0, &["get:services/edge:1"]), None, "there is no write");
    let fixed: Point = "apply:services/edge:9".parse().expect("a point");
    let plan = Plan::from_seed(0).at(fixed.clone()).at_one_of(&recorded(&points));
    assert_eq!(plan.to_string(), "seed=0@apply:services/edge:9 scenario=create perturbation=crash-before-write");
    assert_eq!(plan.fault().map(|fault| fault.point), Some(fixed));
    assert_ne!(plan.namespace(), Plan::from_seed(0).at(first).namespace());
}
