use std::collections::BTreeSet;

use super::*;

#[test]
fn the_generator_is_splitmix64() {
    let mut random = Random(0);
    let first = [random.next(), random.next(), random.next()];
    assert_eq!(first, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
}

#[test]
fn a_seed_is_the_same_plan_each_time_and_its_line_says_which() {
    for (seed, line) in [
        (0, "seed=0 scenario=create perturbation=crash-before-write at="),
        (5, "seed=5 scenario=thresholds perturbation=crash-after-write at="),
        (CLUSTER_WIDE_FROM, "seed=4294967296 scenario="),
        (CRASHES_FROM + 7, "seed=8589934599 scenario=create perturbation=crash-after-write at=3"),
        (CRASHES_FROM + 520, "seed=8589935112 scenario=thresholds perturbation=crash-before-write at=4"),
    ] {
        let plan = Plan::from_seed(seed);
        assert!(plan.to_string().starts_with(line), "{plan}");
        let again = Plan::from_seed(seed);
        assert_eq!((plan.to_string(), plan.choice), (again.to_string(), again.choice));
    }
}

#[test]
fn the_first_600_seeds_have_every_scenario_with_every_perturbation() {
    let pair = |seed| {
        let plan = Plan::from_seed(seed);
        (plan.scenario().name, plan.perturbation.name)
    };
    let pairs: BTreeSet<_> = (0..600).map(pair).collect();
    assert_eq!(pairs.len(), SCENARIOS.len() * PERTURBATIONS.len());
    assert_eq!(pairs.len(), 600);
    let wide: BTreeSet<_> = (0..60).map(|number| pair(CLUSTER_WIDE_FROM + number)).collect();
    assert_eq!(wide.len(), SCENARIOS.len() * CLUSTER_WIDE.len());
}

#[test]
fn a_part_of_what_happens_is_one_of_its_numbers() {
    let plan = |when| Plan { when, ..Plan::from_seed(0) };
    for (part, count, expected) in [(1, 10, 1), (1000, 10, 10), (500, 10, 5), (501, 10, 6), (1000, 0, 1)] {
        assert_eq!(plan(When::Part(part)).point(count), expected, "{part} {count}");
    }
    assert_eq!(plan(When::Exactly(7)).point(3), 7, "one that a run does not reach");
}

#[test]
fn a_crash_before_and_after_each_write_is_a_plan() {
    let plans: Vec<String> = Plan::crashes(1, 2).map(|plan| plan.to_string()).collect();
    let ends: Vec<&str> = plans.iter().filter_map(|plan| Some(plan.split_once("perturbation=")?.1)).collect();
    assert_eq!(
        ends,
        ["crash-before-write at=1", "crash-after-write at=1", "crash-before-write at=2", "crash-after-write at=2"]
    );
    assert!(plans.iter().all(|plan| plan.contains("scenario=thresholds")), "{plans:?}");
}
