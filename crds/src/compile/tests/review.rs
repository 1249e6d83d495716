//! What is said of answers that are kept.

use std::time::Duration;

use super::*;
use crate::table::ReviewRules;

const BRAIN: &str = "  brain: {url: http://b}\n";

#[test]
fn every_rule_of_review_names_path_value_and_cure() {
    let review = |fields: &str| format!("{BRAIN}  review: {{{fields}}}");
    assert_refused(vec![
        (
            "  review: {keep: 24h, share: \"0.1\"}".into(),
            "spec.review: needs brain, which keeps the answers; set brain, or leave review out",
        ),
        (review("keep: 31d, share: \"0.1\""), "spec.review.keep: 31d: must be at most 30d"),
        (review("keep: 721h, share: \"0.1\""), "spec.review.keep: 721h: must be at most 30d"),
        (
            review("keep: 0s, share: \"0.1\""),
            "spec.review.keep: 0s: must be a whole number from 1 to 99999 with a unit",
        ),
        (review("keep: 1h, share: \"0.000\""), "spec.review.share: 0.000: must be more than 0; leave review out"),
        (review("keep: 1h, share: \"1.1\""), "spec.review.share: 1.1: must be a decimal from 0 to 1"),
        (review("keep: 1h, share: 0.1"), "spec.review.share: 0.1: quote it: \"0.1\""),
    ]);
}

#[test]
fn answers_are_kept_only_where_a_policy_says_so() {
    assert_eq!(with(BRAIN).expect("compiles").review, None);
    for (fields, seconds, share) in
        [("keep: 30d, share: \"1\"", 2_592_000, 1.0), ("keep: 5s, share: \"0.0001\"", 5, 0.0001)]
    {
        let table = with(&format!("{BRAIN}  review: {{{fields}}}")).expect("compiles");
        assert_eq!(table.review, Some(ReviewRules { keep: Duration::from_secs(seconds), share }), "{fields}");
    }
}
