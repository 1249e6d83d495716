//! Where the calls of each skill go and why, as the pods report it.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    decimal::is_share,
    interval::wilson,
    pod::{SkillReport, why},
    policy::{
        RateInterval, RouteStatus, SkillStatus,
        skill::{NAME_MAX, SKILLS_MAX},
    },
};

use super::Observed;
use crate::controller::dereference::PODS_MAX;

/// Most reports that are read from all pods together: 64 skills from each of 200 pods.
const REPORTS_MAX: usize = PODS_MAX as usize * SKILLS_MAX;

/// The skills, sorted by name. Between updates, and while no pod reports any, the status keeps the last ones that are served,
/// unless the set of skills, or what becomes of their calls, changed.
pub(super) fn skills(observed: &Observed<'_>) -> Vec<SkillStatus> {
    let last = observed.policy.status.iter().flat_map(|status| &status.skills);
    // Somebody else may have written others, and a skill may be served no more.
    let last: Vec<SkillStatus> = last.filter(|skill| is_served(observed, &skill.name)).cloned().collect();
    let reported: Vec<SkillStatus> = newest(observed).into_values().filter_map(shown).collect();
    let stands = courses(&last) == courses(&reported) && !observed.skills_are_due;
    if reported.is_empty() || stands { last } else { reported }
}

/// Whether the policy has a skill of this name; of a policy that is refused nothing is known.
fn is_served(observed: &Observed<'_>, name: &str) -> bool {
    observed.valid.map_or(true, |valid| valid.skills.contains(name))
}

/// What becomes of each skill's calls, without the rates.
fn courses(skills: &[SkillStatus]) -> BTreeSet<(&str, &str, bool)> {
    skills.iter().map(|skill| (skill.name.as_str(), skill.route.as_str(), skill.locked)).collect()
}

/// The most recent report about each skill from the pods that run the target config.
fn newest<'a>(observed: &Observed<'a>) -> BTreeMap<&'a str, &'a SkillReport> {
    let current = observed.pods.iter().filter(|pod| pod.runs(observed.target));
    let reports = current.filter_map(|pod| pod.status()).flat_map(|status| &status.skills);
    // A pod that invents skills must not make the status invalid.
    let reports =
        reports.filter(|report| is_served(observed, &report.name) && report.name.len() <= NAME_MAX).take(REPORTS_MAX);
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
        // From a newer version: no skill in the status is better than a wrong route.
        _ => return None,
    };
    Some(SkillStatus {
        name: report.name.clone(),
        pass_rate: report.pass_rate.and_then(two_decimals),
        interval: interval(report),
        samples: report.samples.map(bounded),
        coverage: report.coverage.and_then(two_decimals),
        claude_pass_rate: report.claude_pass_rate.and_then(two_decimals),
        claude_samples: report.claude_samples.map(bounded),
        route,
        reason: why::reason(report),
        message: why::message(report),
        locked: report.locked,
    })
}

/// A rate or a share; none: it is not one.
fn two_decimals(share: f64) -> Option<String> {
    is_share(share).then(|| format!("{share:.2}"))
}

/// A number that the API server accepts.
fn bounded(samples: u64) -> u64 {
    samples.min(i64::MAX as u64)
}

fn interval(report: &SkillReport) -> Option<RateInterval> {
    let interval = wilson(report.pass_rate?, report.samples?)?;
    Some(RateInterval { low: two_decimals(interval.low)?, high: two_decimals(interval.high)? })
}
