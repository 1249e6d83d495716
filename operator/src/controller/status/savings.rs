//! What was saved, as the pods report it.

use crds::{
    decimal::is_share,
    pod::savings::SavingsReport,
    policy::{SavingsStatus, status::USD_MAX},
};

use super::Observed;

/// Highest amount that is believed, in US dollars.
const USD_BELIEVED: f64 = 1e12;

/// Between updates the status keeps the last one. All pods of a policy ask the same brain, so that the first is as good as
/// any.
pub(super) fn savings(observed: &Observed<'_>) -> Option<SavingsStatus> {
    let last = observed.policy.status.as_ref().and_then(|status| status.savings.clone());
    if last.is_some() && !observed.skills_are_due {
        return last;
    }
    let current = observed.pods.iter().filter(|pod| pod.runs(observed.target));
    let reported = current.filter_map(|pod| pod.status()?.savings.as_ref()).find_map(shown);
    reported.or(last)
}

/// None: it is none of ours.
fn shown(report: &SavingsReport) -> Option<SavingsStatus> {
    let SavingsReport { since, calls, share_local, cost_usd, saved_usd, saved_low: _, saved_high: _ } = report;
    let usd = |amount: &Option<f64>| amount.filter(|usd| usd.abs() <= USD_BELIEVED).map(|usd| format!("{usd:.2}"));
    Some(SavingsStatus {
        since: Some(since.clone()).filter(|since| since.len() <= USD_MAX && since.is_ascii())?,
        calls: i64::try_from(*calls).ok()?,
        share_local: share_local.filter(|share| is_share(*share)).map(|share| format!("{share:.2}")),
        cost_usd: usd(cost_usd),
        saved_usd: usd(saved_usd),
    })
}
