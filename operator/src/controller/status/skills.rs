//! Where the calls of each skill go, as the pods see it.

use std::collections::{BTreeMap, BTreeSet};

use crds::policy::{RouteStatus, SkillStatus};

use super::Observed;
use crate::pod_status::SkillReport;

/// The skills by name. Between updates the last ones stand, unless the skills are others.
pub(super) fn skills(observed: &Observed<'_>) -> Vec<SkillStatus> {
    let last = observed.policy.status.as_ref().map(|status| status.skills.clone()).unwrap_or_default();
    let reported = newest(observed);
    if reported.is_empty() {
        return last;
    }
    let names: BTreeSet<&str> = last.iter().map(|skill| skill.name.as_str()).collect();
    let same_names = names == reported.keys().copied().collect();
    if same_names && !observed.skills_are_due { last } else { reported.into_values().filter_map(shown).collect() }
}

/// Of what pods that run the config say about a skill, the youngest.
fn newest<'a>(observed: &Observed<'a>) -> BTreeMap<&'a str, &'a SkillReport> {
    let current = observed.pods.iter().filter(|pod| pod.runs(observed.wanted));
    let reports = current.filter_map(|pod| pod.status()).flat_map(|status| &status.skills);
    let mut newest: BTreeMap<&str, &SkillReport> = BTreeMap::new();
    let age = |report: &SkillReport| report.evidence_age_ms.unwrap_or(u64::MAX);
    for report in reports {
        let known = newest.entry(&report.name).or_insert(report);
        if age(report) < age(known) {
            *known = report;
        }
    }
    newest
}

fn shown(report: &SkillReport) -> Option<SkillStatus> {
    let route = match report.route.as_str() {
        "local" => RouteStatus::Local,
        "claude" => RouteStatus::Claude,
        "split" => RouteStatus::Split,
        // Of a newer version: nothing is better than something wrong.
        _ => return None,
    };
    Some(SkillStatus {
        name: report.name.clone(),
        pass_rate: report.pass_rate.map(|rate| format!("{rate:.2}")),
        samples: report.samples,
        route,
    })
}
