use super::*;

#[test]
fn a_share_has_what_is_chosen_some_random_plans_and_one_alone_and_none_that_takes_over_a_minute() {
    let share = Requested::Share(CLUSTER_WIDE_FROM - 3, Duration::ZERO);
    let plans: Vec<Plan> = share.together(Instant::now()).collect();
    assert_eq!(plans.len(), chosen().count() + LEAST);
    assert!(plans.iter().all(|plan| !plan.perturbation.takes_long() && !plan.is_alone()));
    let alone = share.alone();
    assert!(alone.len() == 1 && alone[0].is_alone(), "whatever the time is");
    assert!(share.scenarios().contains(&alone[0].scenario), "its reference is made meanwhile");
    let first = format!("{} chosen plans, and random ones from SEEDS={} on", chosen().count(), CLUSTER_WIDE_FROM - 3);
    assert!(share.to_string().starts_with(&first), "{share}");
}

#[test]
fn what_is_chosen_once_went_wrong_and_has_one_scenario() {
    let names: Vec<&str> = chosen().map(|plan| plan.perturbation.name).collect();
    let expected = [
        "lease-deleted",
        "status-co-owned",
        "status-wiped",
        "crash-after-write",
        "managers-stripped",
        "policy-managers-stripped",
    ];
    assert_eq!(names, expected);
    assert!(chosen().all(|plan| plan.scenario().name == "taken-back"));
}

#[test]
fn a_full_run_has_every_part_and_at_least_600_plans_of_the_table() {
    let run = |text: &str, table: u64| Requested::Parts(Parts::named(text, table, false));
    let full = run("all", 0);
    assert_eq!(full.parts().map(|parts| parts.which.len()), Some(Part::ALL.len()));
    let plans = full.together(Instant::now()).count();
    assert_eq!(plans, SCENARIOS.len() * PERTURBATIONS.len());
    assert!(plans >= 600);
    assert_eq!(full.alone().len(), SCENARIOS.len() * CLUSTER_WIDE.len());
    assert_eq!((run("table", 50).together(Instant::now()).count(), run("table", 50).alone().len()), (50, 0));
    assert_eq!(run("alone, crashes", 0).together(Instant::now()).count(), 0);
    assert_eq!(run("crashes", 0).scenarios().len(), SCENARIOS.len());
}
