//! All that the brain is asked for is broken in the same way: rates and the delivery of records.

use tests::{
    calls::CALLS,
    fault_server::{
        Point,
        brain::{Ask, Takes},
        broken::{self, Broken, Expected},
    },
    waiting,
};

use crate::{
    AT_A_TIME,
    campaign::{Campaign, nothing_is_held},
    counted::UNREACHABLE,
    table::{self, ERRORS, RATE},
};

/// Calls of a row that come first, so that the brain has said what it takes.
const FIRST: usize = 20;

async fn each_breaks_all(all: Vec<Broken>) {
    let mut campaign = Campaign::start(Takes::Several, nothing_is_held(), AT_A_TIME).await;
    for broken in all {
        campaign.brain.fail(table::all(&broken));
        let row = campaign.row(&broken.name, CALLS).await;
        match broken.expected(ERRORS) {
            Expected::Answered => {
                row.has_rate(RATE);
                campaign.delivers(&row).await;
            }
            Expected::Error(kind) => {
                row.has_no_rate(kind);
                campaign.each_request_is_counted(&row, broken.is_always_read()).await;
                campaign.loses(&row, kind).await;
            }
            Expected::AnsweredOr(kind) => {
                row.has_rate_or_none(RATE, kind);
                campaign.delivers_or_loses(&row).await;
            }
        }
    }
    campaign.accounts_for_all(false).await;
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_cuts_or_resets_at_any_point_costs_each_call_its_rate_alone_and_each_record_is_counted() {
    each_breaks_all(table::cuts_and_resets()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_floods_or_lies_about_lengths_costs_each_call_its_rate_alone_and_each_record_is_counted() {
    each_breaks_all(table::floods_and_lengths()).await;
}

/// All calls of a row wait for one request or a few. Records come much faster than they are given up, so there are some
/// for which the queue has no place.
async fn each_delays_calls(all: Vec<Broken>) {
    let mut campaign = Campaign::start(Takes::Several, nothing_is_held(), CALLS).await;
    campaign.row("first", FIRST).await;
    campaign.accounts_for_all(true).await;
    for broken in all {
        campaign.brain.fail(table::all(&broken));
        let row = campaign.row(&broken.name, CALLS).await;
        row.has_no_rate(UNREACHABLE);
        assert!(row.took < waiting::LIMIT, "{}: calls wait for a second at a time, and not for the brain", broken.name);
        if broken.at != Point::Accepted {
            let asked =
                || std::future::ready([Ask::Rate, Ask::Entries].iter().all(|ask| campaign.brain.asked(*ask) > 0));
            waiting::until_true("requests of both kinds", asked).await;
        }
    }
    answers_once(&mut campaign).await;
    campaign.accounts_for_all(true).await;
    campaign.leaves_nothing_behind().await;
}

/// Of each connection the second request hangs, be it for a rate or with records.
async fn answers_once(campaign: &mut Campaign) {
    let broken = broken::answers_once();
    campaign.brain.fail(vec![table::rates(&broken)]);
    let row = campaign.row(&broken.name, CALLS).await;
    row.has_rate_or_none(RATE, UNREACHABLE);
    assert!(row.took < waiting::LIMIT, "{}", broken.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_hangs_at_any_point_delays_each_call_by_a_second_and_each_record_is_delivered_or_counted() {
    each_delays_calls(broken::hangs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_drips_at_any_point_delays_each_call_by_a_second_and_each_record_is_delivered_or_counted() {
    each_delays_calls(broken::drips()).await;
}
