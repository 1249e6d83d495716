//! A policy that holds the last known rate: a brain that fails is not a skill that was never measured.

use serde_json::{Value, json};
use tests::{
    calls::CALLS,
    fault_server::{
        Act, Answer, Fault, Point,
        brain::{Ask, Takes},
        fault::Length,
    },
    waiting,
};

use crate::{
    AT_A_TIME,
    campaign::Campaign,
    counted::{self, UNREACHABLE},
    row::Row,
    table::MALFORMED,
};

/// Requests at most to a brain that has failed, besides one a second: the first, and one that began with the row.
const FIRST: u64 = 2;

impl Campaign {
    /// Makes calls until one has this rate.
    async fn learns(&mut self, rate: &str) {
        self.brain.fail(vec![(Ask::Rate, Fault::answer(Answer::rate(rate)))]);
        let known = async { while !has(&self.row("a brain that is well", 1).await.records[0], rate) {} };
        tokio::time::timeout(waiting::LIMIT, known).await.expect("the new rate");
    }
}

/// Whether a record says that this was the rate.
pub fn has(record: &Value, rate: &str) -> bool {
    record["pass_rate"] == rate.parse::<Value>().expect("JSON")
}

/// Each call has the held rate with its age, and not for each of them the brain is asked again.
fn is_held(row: &Row, rate: &str, kind: &str) {
    for record in &row.records {
        let held = has(record, rate) && record["evidence_age_ms"].is_u64();
        assert!(held, "{}: {record}", row.name);
    }
    assert!(counted::are(&row.errors, kind), "{}: {:?}", row.name, row.errors);
    let most = FIRST + row.took.as_secs();
    assert!(counted::sum(&row.errors) as u64 <= most, "{}: {:?} in {:?}", row.name, row.errors, row.took);
}

fn faults() -> [(&'static str, Fault, &'static str); 7] {
    let answer = || Answer::rate("0.95");
    let long = || answer().spaces(10_000);
    let at = |at, act, answer| Fault { at, act, answer };
    [
        ("hangs", at(Point::Asked, Act::Hang, answer()), UNREACHABLE),
        ("drips", at(Point::AfterHead, Act::Drip, long()), UNREACHABLE),
        ("cuts", at(Point::InHead, Act::Cut, answer()), UNREACHABLE),
        ("resets", at(Point::InBody, Act::Reset, answer()), UNREACHABLE),
        ("floods", at(Point::InBody, Act::Flood, answer().length(Length::UntilClosed)), MALFORMED),
        ("the skill vanishes", Fault::answer(answer().status(404)), "status"),
        ("1.7", Fault::answer(Answer::rate("1.7")), MALFORMED),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_fails_in_any_way_leaves_each_call_the_held_rate_and_is_asked_once_a_second() {
    let evidence = json!({"of": "Skill", "ttl": "1ms", "holdFor": "1h"});
    let mut campaign = Campaign::start(Takes::Several, evidence, AT_A_TIME).await;
    for (i, (name, fault, kind)) in faults().into_iter().enumerate() {
        // Each row holds another rate, so none of an earlier row is taken for it.
        let rate = format!("0.1{}", i + 1);
        campaign.learns(&rate).await;
        campaign.brain.fail(vec![(Ask::Rate, fault)]);
        let row = campaign.row(name, CALLS).await;
        is_held(&row, &rate, kind);
    }
    // That a skill is not measured is no error.
    campaign.learns("null").await;
    campaign.row("never measured", CALLS).await.has_rate("null");
    campaign.accounts_for_all(true).await;
    campaign.leaves_nothing_behind().await;
}
