//! The report for readers.

use std::fmt::Write;

use super::{Run, baseline::Reasons};

/// The part of a version's report that is measured.
pub fn of(runs: &[Run], reasons: &Reasons) -> String {
    let mut page = String::from(
        "| suite | protocol | server | scenarios passed | checks passed | not passed |\n|---|---|---|---|---|---|\n",
    );
    for run in runs {
        let passed = run.measured.values().filter(|found| found.is_passed()).count();
        let checks: usize = run.measured.values().map(|found| found.passed).sum();
        let others = run.measured.len() - passed;
        let _ = writeln!(
            page,
            "| {} {} | {} | {} | {passed} | {checks} | {others} |",
            run.suite.name(),
            run.suite.version(),
            run.version,
            run.server
        );
    }
    page.push_str("\n## Passed\n\n| scenario | where |\n|---|---|\n");
    for (scenario, places) in by_scenario(runs, |run, scenario| run.measured[scenario].is_passed()) {
        let _ = writeln!(page, "| `{scenario}` | {places} |");
    }
    page.push_str("\n## Not passed, and why\n\n| scenario | where | why |\n|---|---|---|\n");
    for server in super::SERVERS {
        let of_it = |run: &Run, scenario: &str| run.server == server && !run.measured[scenario].is_passed();
        for (scenario, places) in by_scenario(runs, of_it) {
            let why = reasons.of(&scenario, server).unwrap_or_default();
            let _ = writeln!(page, "| `{scenario}` | {places} | {why} |");
        }
    }
    page
}

/// Scenarios, and the runs in which something is so.
fn by_scenario(runs: &[Run], is_so: impl Fn(&Run, &str) -> bool) -> Vec<(String, String)> {
    let mut scenarios: Vec<&String> = runs.iter().flat_map(|run| run.measured.keys()).collect();
    scenarios.sort();
    scenarios.dedup();
    let places = |scenario: &str| {
        let so = runs.iter().filter(|run| run.measured.contains_key(scenario) && is_so(run, scenario));
        let places: Vec<String> =
            so.map(|run| format!("{} {} {}", run.server, run.suite.name(), run.version)).collect();
        (!places.is_empty()).then(|| (scenario.to_string(), places.join("; ")))
    };
    scenarios.into_iter().filter_map(|scenario| places(scenario)).collect()
}
