//! Whether the pods reach the endpoints of the models, as they report it.

use std::collections::BTreeMap;

use crds::{
    pod::{ModelReport, models::CircuitReport},
    policy::Reason,
};

use super::{Finding, Observed};

/// A model's report with the name of the pod that gave it.
type Report<'a> = (&'a ModelReport, &'a str);

/// Nothing else depends on it: a data plane whose models are down is ready, as other pods of it would be no better.
pub(super) fn reachable(observed: &Observed<'_>) -> Finding {
    let worst = worst(observed);
    let message = worst.values().map(line).collect::<Vec<_>>().join("; ");
    if worst.values().any(|(report, _)| is_open(report)) {
        return Finding::fails(Reason::LocalCircuitOpen, message);
    }
    if worst.values().any(|(report, _)| report.reachable == Some(false)) {
        return Finding::fails(Reason::UpstreamUnreachable, message);
    }
    if worst.is_empty() || worst.values().any(|(report, _)| report.reachable.is_none()) {
        let message = "no pod has reported yet whether it reaches the endpoints of the models";
        return Finding::unknown(Reason::UpstreamNotProbed, message);
    }
    Finding::holds(Reason::UpstreamReachable, message)
}

/// The worst report about each model from the pods that run the target config; of equals that of the first pod.
fn worst<'a>(observed: &Observed<'a>) -> BTreeMap<&'a str, Report<'a>> {
    let mut worst: BTreeMap<&str, Report<'_>> = BTreeMap::new();
    for pod in observed.pods.iter().filter(|pod| pod.runs(observed.target)) {
        let reports = pod.status().into_iter().flat_map(|status| &status.models);
        for report in reports.filter(|report| report.has_endpoint()) {
            let known = worst.entry(&report.name).or_insert((report, &pod.name));
            if rank(report) < rank(known.0) {
                *known = (report, &pod.name);
            }
        }
    }
    worst
}

/// Left alone, then not reachable, then with another problem, then well, then unknown: a pod that has just started knows
/// nothing yet.
fn rank(report: &ModelReport) -> u8 {
    match (report.reachable, report.problem.is_empty()) {
        _ if is_open(report) => 0,
        (Some(false), _) => 1,
        (Some(true), false) => 2,
        (Some(true), true) => 3,
        (None, _) => 4,
    }
}

fn is_open(report: &ModelReport) -> bool {
    report.circuit.as_ref().is_some_and(CircuitReport::is_open)
}

fn line((report, pod): &Report<'_>) -> String {
    let ModelReport { name, model, endpoint, problem, models_status, .. } = report;
    // Without its numbers, which change while the state stays.
    let left_alone = "has failed several times in a row, so it is left alone; it is tried again from time to time";
    let said = match (problem.as_str(), models_status) {
        ("", _) if is_open(report) => format!("{left_alone} (pod {pod})"),
        (problem, _) if is_open(report) => format!("{left_alone}: {problem} (pod {pod})"),
        ("", Some(status)) => format!("answers ({status} to GET /v1/models)"),
        ("", None) => "answers".into(),
        (problem, _) => format!("{problem} (pod {pod})"),
    };
    format!("models.{name} {model} at {endpoint} {said}")
}
