//! Plans that are made of what the operator was seen to send: a crash around each write, and every fault of every request.

use std::collections::BTreeMap;

use super::{
    api_request::Class,
    fault::Target,
    perturbation::{CRASHES, OF_EVERY_REQUEST},
    plan::Plan,
    point::{Point, Recorded},
    random::weight,
};

/// What the operator sent in the course of a scenario without faults, by the scenario's place.
pub type Runs<'a> = [(usize, &'a [Recorded])];

/// A crash before and after each write of each scenario.
#[must_use]
pub fn crashes(runs: &Runs<'_>) -> Vec<Plan> {
    let writes = runs.iter().flat_map(|(scenario, recorded)| {
        Target::Write.points(recorded).into_iter().map(move |point| (*scenario, point))
    });
    let plans = writes.flat_map(|(scenario, point)| {
        (0..CRASHES.len()).map(move |side| Plan::crash(scenario, side).at(point.clone()))
    });
    plans.collect()
}

/// Each request with each fault: once, in one of the scenarios that have it; or everywhere, in each scenario at each write and at
/// the first of the reads that are the same.
#[must_use]
pub fn faults_of_requests(runs: &Runs<'_>, everywhere: bool) -> Vec<Plan> {
    let mut by_key: BTreeMap<&str, Vec<(usize, &Point)>> = BTreeMap::new();
    for (scenario, recorded) in runs {
        for point in Target::Request.points(recorded) {
            by_key.entry(&point.key).or_default().push((*scenario, point));
        }
    }
    let plans = if everywhere { each } else { once };
    by_key.values().flat_map(|points| plans(points)).collect()
}

fn once(points: &[(usize, &Point)]) -> Vec<Plan> {
    let plan = |fault: usize| {
        let heaviest = |(scenario, point): &&(usize, &Point)| weight(fault as u64, format!("{scenario} {point}"));
        let (scenario, point) = points.iter().max_by_key(heaviest)?;
        Some(Plan::of_request(*scenario, fault).at((*point).clone()))
    };
    (0..OF_EVERY_REQUEST.len()).filter_map(plan).collect()
}

fn each(points: &[(usize, &Point)]) -> Vec<Plan> {
    let news = points.iter().filter(|(_, point)| point.nth == 1 || Class::of_key(&point.key) == Class::Write);
    let plans = news.flat_map(|(scenario, point)| {
        (0..OF_EVERY_REQUEST.len()).map(move |fault| Plan::of_request(*scenario, fault).at((*point).clone()))
    });
    plans.collect()
}

#[test]
fn every_write_has_two_crashes_and_every_request_every_fault() {
    let recorded = |points: &[&str]| -> Vec<Recorded> {
        let now = std::time::Instant::now();
        let recorded = |point: &&str| Recorded { point: point.parse().expect("a point"), at: now, is_news: false };
        points.iter().map(recorded).collect()
    };
    let first = recorded(&["get:services/edge:1", "get:services/edge:2", "apply:services/edge:1", "watch:pods:1"]);
    let second = recorded(&["get:services/edge:1", "apply:services/edge:1", "apply:services/edge:2", "get:leases/l:1"]);
    let runs: [(usize, &[Recorded]); 2] = [(0, &first[..]), (1, &second[..])];
    let lines: Vec<String> = crashes(&runs).iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[0], "seed=8589934592@apply:services/edge:1 scenario=create perturbation=crash-before-write");
    assert_eq!(lines[5], "seed=8589934595@apply:services/edge:2 scenario=thresholds perturbation=crash-after-write");
    let faults = OF_EVERY_REQUEST.len();
    let once = faults_of_requests(&runs, false);
    let pair = |plan: &Plan| (plan.point.clone().map(|point| point.key), plan.perturbation.name);
    let pairs: std::collections::BTreeSet<_> = once.iter().map(pair).collect();
    assert_eq!((once.len(), pairs.len()), (2 * faults, 2 * faults), "two requests");
    assert_eq!(faults_of_requests(&runs, true).len(), 5 * faults, "each write, and the first read of each scenario");
}
