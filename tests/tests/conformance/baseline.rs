//! What does not pass, and why: the committed baselines, and how a run is compared with them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::suites::Measured;

/// The checks that do not pass, by scenario.
pub type Baseline = BTreeMap<String, BTreeSet<String>>;

/// Why scenarios do not pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// One sentence.
    pub why: String,
    pub scenarios: Vec<String>,
    /// The servers that it is about; empty: both.
    #[serde(default)]
    servers: Vec<String>,
}

/// All reasons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    pub reason: Vec<Reason>,
}

impl Reasons {
    /// Why a scenario does not pass on a server.
    pub fn of(&self, scenario: &str, server: &str) -> Option<&str> {
        let is_it = |reason: &&Reason| {
            reason.scenarios.iter().any(|one| one == scenario)
                && (reason.servers.is_empty() || reason.servers.iter().any(|one| one == server))
        };
        self.reason.iter().find(is_it).map(|reason| reason.why.as_str())
    }
}

/// What is to be done about a run, each in one line: nothing if it is what the baseline says, and every scenario in that
/// has a reason.
pub fn differences(measured: &Measured, baseline: &Baseline, reasons: &Reasons, server: &str) -> Vec<String> {
    let none = BTreeSet::new();
    let mut lines = vec![];
    for (scenario, found) in measured {
        let known = baseline.get(scenario).unwrap_or(&none);
        if found.passed == 0 && found.not_passed.is_empty() && !baseline.contains_key(scenario) {
            lines.push(format!("{scenario}: nothing of it was checked"));
        }
        lines.extend(found.not_passed.difference(known).map(|check| {
            format!("{scenario}: {check} does not pass: fix it, or add it to the baseline if it cannot apply")
        }));
        let passes = known.difference(&found.not_passed);
        lines.extend(passes.map(|check| format!("{scenario}: {check} passes: remove it from the baseline")));
    }
    for scenario in baseline.keys() {
        if !measured.contains_key(scenario) {
            lines.push(format!("{scenario}: is no scenario of this run: remove it from the baseline"));
        }
        if reasons.of(scenario, server).is_none() {
            lines.push(format!("{scenario}: is in the baseline without a reason: add one to reasons.toml"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::suites::Found, *};

    fn measured(not_passed: &[&str]) -> Measured {
        let not_passed = not_passed.iter().map(ToString::to_string).collect();
        [("caching".to_string(), Found { passed: 1, not_passed })].into()
    }

    fn baseline(checks: &[&str]) -> Baseline {
        [("caching".to_string(), checks.iter().map(ToString::to_string).collect())].into()
    }

    fn reasons(servers: &str) -> Reasons {
        toml::from_str(&format!("[[reason]]\nwhy = 'w'\nscenarios = ['caching']\nservers = [{servers}]")).expect("TOML")
    }

    #[test]
    fn a_run_differs_by_what_starts_to_pass_or_stops_or_has_no_reason() {
        let any = reasons("");
        let differences = |found: &[&str], known: &[&str], reasons: &Reasons| {
            differences(&measured(found), &baseline(known), reasons, "brain").join("; ")
        };
        assert_eq!(differences(&["a"], &["a"], &any), "");
        assert_eq!(differences(&[], &["a"], &any), "caching: a passes: remove it from the baseline");
        let added = differences(&["a", "b"], &["a"], &any);
        assert!(added.starts_with("caching: b does not pass"), "{added}");
        let without = differences(&["a"], &["a"], &reasons("'data plane'"));
        assert!(without.ends_with("without a reason: add one to reasons.toml"), "{without}");
        assert_eq!(differences(&["a"], &["a"], &reasons("'brain'")), "");
        let gone = super::differences(&Measured::new(), &baseline(&["a"]), &any, "brain").join("; ");
        assert_eq!(gone, "caching: is no scenario of this run: remove it from the baseline");
        let unchecked = [("caching".to_string(), Found::default())].into();
        assert_eq!(super::differences(&unchecked, &Baseline::new(), &any, "brain").len(), 1);
    }
}
