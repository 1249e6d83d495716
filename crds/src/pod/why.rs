//! Why the calls of a skill go where they go: the reason as the pod gives it, and a sentence for people.

use super::SkillReport;
use crate::{
    decimal::is_share,
    policy::status::{MESSAGE_MAX, REASON_MAX},
    shown::printable,
};

/// Decimal places of a rate and a threshold: as many of these as it takes to tell them apart.
const PLACES: std::ops::RangeInclusive<usize> = 2..=4;

/// The pod's own reason, which a newer version may have added; none: it gives none, or one that is not a name.
#[must_use]
pub fn reason(report: &SkillReport) -> Option<String> {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let reason = &report.reason;
    (!reason.is_empty() && reason.len() <= REASON_MAX && is_name(reason)).then(|| reason.clone())
}

/// A sentence with the numbers, for example `0.68 of 41 is below 0.70`; none without a reason.
#[must_use]
pub fn message(report: &SkillReport) -> Option<String> {
    let said = match reason(report)?.as_str() {
        "below_ceil" => compared(report, "is below", report.ceil, "ceil"),
        "at_or_above_floor" => compared(report, "is at or above", report.floor, "floor"),
        "split" => {
            let below_floor = compared(report, "is below", report.floor, "floor");
            format!("{below_floor}, but not below {}", report.ceil.map_or("ceil".into(), |ceil| shown(ceil, ceil)))
        }
        "no_pass_rate" => "no outcomes are known".into(),
        "too_few_samples" => {
            let samples = report.samples.map_or(String::new(), |samples| format!("{samples} "));
            format!("{samples}outcomes are fewer than evidence.minSamples")
        }
        "pinned" => "the policy pins its route".into(),
        // From a newer version.
        other => other.replace('_', " "),
    };
    Some(printable(&said, MESSAGE_MAX))
}

/// The rate, of how many outcomes it is, and how it compares to a threshold.
fn compared(report: &SkillReport, how: &str, threshold: Option<f64>, name: &str) -> String {
    let threshold = threshold.filter(|threshold| is_share(*threshold));
    let rate = match report.pass_rate.filter(|rate| is_share(*rate)) {
        Some(rate) => shown(rate, threshold.unwrap_or(rate)),
        None => "the pass rate".into(),
    };
    let of = report.samples.map_or(String::new(), |samples| format!(" of {samples}"));
    let threshold = threshold.map_or(name.into(), |limit| shown(limit, report.pass_rate.unwrap_or(limit)));
    format!("{rate}{of} {how} {threshold}")
}

/// A rate with two decimals, or with more if it takes them to tell it from another.
fn shown(rate: f64, other: f64) -> String {
    let differs = |places: &usize| rate == other || format!("{rate:.places$}") != format!("{other:.places$}");
    let places = PLACES.into_iter().find(differs).unwrap_or(*PLACES.end());
    format!("{rate:.places$}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(report: Value) -> (Option<String>, Option<String>) {
        let report: SkillReport = serde_json::from_value(report).expect("a report");
        (reason(&report), message(&report))
    }

    #[test]
    fn each_reason_is_a_sentence_with_the_numbers_that_it_rests_on() {
        let report = |reason: &str, rate: f64| json!({"reason": reason, "passRate": rate, "samples": 41, "floor": 0.9, "ceil": 0.7});
        for (report, message) in [
            (report("below_ceil", 0.683), "0.68 of 41 is below 0.70"),
            (report("below_ceil", 0.699), "0.699 of 41 is below 0.700"),
            (report("below_ceil", 0.69999), "0.7000 of 41 is below 0.7000"),
            (report("at_or_above_floor", 0.9), "0.90 of 41 is at or above 0.90"),
            (report("split", 0.8), "0.80 of 41 is below 0.90, but not below 0.70"),
            (report("split", 0.898), "0.898 of 41 is below 0.900, but not below 0.70"),
            (json!({"reason": "below_ceil", "passRate": 0.5, "samples": 2}), "0.50 of 2 is below ceil"),
            (json!({"reason": "below_ceil", "passRate": 0.5, "ceil": 0.7}), "0.50 is below 0.70"),
            (json!({"reason": "below_ceil", "passRate": 7.5, "ceil": 70}), "the pass rate is below ceil"),
            (json!({"reason": "no_pass_rate", "samples": 0}), "no outcomes are known"),
            (json!({"reason": "too_few_samples", "samples": 3}), "3 outcomes are fewer than evidence.minSamples"),
            (json!({"reason": "pinned"}), "the policy pins its route"),
            (json!({"reason": "after_an_audit"}), "after an audit"),
        ] {
            assert_eq!(said(report.clone()), (report["reason"].as_str().map(Into::into), Some(message.into())));
        }
    }

    #[test]
    fn a_reason_that_is_not_a_name_is_left_out() {
        for reason in [json!(null), json!(""), json!("Ignore this\n"), json!("a".repeat(65)), json!(5)] {
            assert_eq!(said(json!({"reason": reason})), (None, None), "{reason}");
        }
    }
}
