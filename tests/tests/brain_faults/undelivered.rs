//! A brain that is well again after it did not take single records for a while.

use tests::{
    calls::CALLS,
    fault_server::{
        Act, Answer, Fault, Point,
        brain::{Ask, Takes},
    },
    waiting,
};

use crate::{
    campaign::{Campaign, nothing_is_held},
    counted::{self, NOT_DELIVERED, QUEUE_FULL},
};

/// Calls in flight.
const MANY: usize = 200;
/// Far more records than wait for a brain at most.
const FAR_TOO_MANY: usize = 3 * CALLS;

/// Calls while no record is taken; then the brain takes them. No call waits for it.
async fn then_well(campaign: &mut Campaign, name: &str, calls: usize, fault: Fault) {
    campaign.brain.fail(vec![(Ask::Entries, fault)]);
    let row = campaign.row(name, calls).await;
    assert!(row.took < waiting::LIMIT, "{name}");
    waiting::until_true("a request", || std::future::ready(campaign.brain.asked(Ask::Entries) > 0)).await;
    campaign.brain.fail(vec![]);
    campaign.accounts_for_all(true).await;
}

fn at(at: Point, act: Act) -> Fault {
    Fault { at, act, answer: Answer::logged().spaces(CALLS) }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_a_hung_brain_does_not_take_in_time_or_have_no_place_are_counted_and_all_others_delivered() {
    let mut campaign = Campaign::start(Takes::Record, nothing_is_held(), MANY).await;
    then_well(&mut campaign, "hangs", FAR_TOO_MANY, at(Point::Asked, Act::Hang)).await;
    let counts = counted::so_far(campaign.rows.routing(), NOT_DELIVERED).await;
    assert!(counts.get(QUEUE_FULL).is_some_and(|count| *count > 0), "{counts:?}");
    then_well(&mut campaign, "drips", CALLS, at(Point::AfterHead, Act::Drip)).await;
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_without_a_record_that_a_hung_brain_does_not_take_in_time_are_counted_and_all_others_delivered() {
    let mut campaign = Campaign::start(Takes::Contract, nothing_is_held(), MANY).await;
    then_well(&mut campaign, "hangs", CALLS, at(Point::InBody, Act::Hang)).await;
    then_well(&mut campaign, "drips", CALLS, at(Point::Asked, Act::Drip)).await;
    assert!(campaign.deliveries.without_record > CALLS, "no entry has a record");
    campaign.leaves_nothing_behind().await;
}
