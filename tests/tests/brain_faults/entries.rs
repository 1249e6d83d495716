//! The log of the brain alone is wrong: no call notices, and each record that was not taken is counted once.

use futures::future::join_all;
use tests::fault_server::{
    Act, Answer, Fault, Point,
    brain::{Ask, Takes},
    broken::Expected,
};

use crate::{
    AT_A_TIME,
    campaign::{Campaign, nothing_is_held},
    few,
    log_lies::{self, Are, Lie},
    table::{self, ERRORS},
};

/// Calls of a row that come first, so that the brain has said what it takes.
const FIRST: usize = 20;

async fn first(takes: Takes) -> Campaign {
    let mut campaign = Campaign::start(takes, nothing_is_held(), AT_A_TIME).await;
    let row = campaign.row("first", FIRST).await;
    campaign.delivers(&row).await;
    campaign
}

async fn each_lie(campaign: &mut Campaign, lies: Vec<Lie>) {
    for (name, answer, are) in lies {
        campaign.brain.fail(vec![(Ask::Entries, Fault::answer(answer))]);
        campaign.deliveries.is_sent_again = matches!(are, Are::SentAgain(_));
        let row = campaign.row(&name, few()).await;
        match are {
            Are::Delivered => campaign.delivers(&row).await,
            Are::Lost(kind) => campaign.loses(&row, kind).await,
            Are::LostByPlace(kind, is_lost) => campaign.loses_by_place(&row, kind, is_lost).await,
            Are::SentAgain(is_refused) => campaign.delivers_again(&row, is_refused).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_says_anything_but_that_records_are_logged_has_each_counted_once_by_what_it_says() {
    for (takes, more) in [(Takes::Record, vec![]), (Takes::Several, log_lies::of_several())] {
        let mut campaign = first(takes).await;
        each_lie(&mut campaign, log_lies::whatever_is_sent()).await;
        each_lie(&mut campaign, more).await;
        campaign.accounts_for_all(false).await;
        campaign.leaves_nothing_behind().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_breaks_the_exchange_of_one_record_at_any_point_has_it_once_or_it_is_counted() {
    let mut campaign = first(Takes::Record).await;
    for broken in table::whatever_ends() {
        campaign.brain.fail(vec![table::entries(&broken)]);
        let row = campaign.row(&broken.name, few()).await;
        match broken.expected(ERRORS) {
            Expected::Answered => campaign.delivers(&row).await,
            Expected::Error(kind) => campaign.loses(&row, kind).await,
            Expected::AnsweredOr(_) => campaign.delivers_or_loses(&row).await,
        }
    }
    campaign.accounts_for_all(false).await;
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_refuses_records_after_all_gets_the_entry_of_each_and_what_it_refuses_then_is_counted() {
    for takes in [Takes::Record, Takes::Several] {
        let mut campaign = first(takes).await;
        campaign.deliveries.is_sent_again = true;
        for (name, answer) in log_lies::refusals() {
            campaign.brain.fail(vec![(Ask::Entries, Fault::answer(answer))]);
            let before = campaign.deliveries.without_record;
            let row = campaign.row(name, few()).await;
            campaign.loses(&row, "refused").await;
            assert_eq!(campaign.deliveries.without_record - before, few(), "{takes:?}: {name}: each entry comes once");
        }
        campaign.leaves_nothing_behind().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_never_says_what_it_takes_gets_the_entry_of_each_record() {
    let asked = |act| Fault { at: Point::Asked, act, answer: Answer::of("") };
    let faults = [
        ("404", Fault::answer(Answer::of("").status(404))),
        ("HTML", Fault::answer(Answer::of("<html>"))),
        ("cuts", asked(Act::Cut)),
        ("hangs", asked(Act::Hang)),
    ];
    let mut campaigns = vec![];
    for (name, fault) in faults {
        let mut campaign = Campaign::start(Takes::Several, nothing_is_held(), AT_A_TIME).await;
        campaign.brain.fail(vec![(Ask::Tools, fault)]);
        campaign.row(name, few()).await;
        campaign.accounts_for_all(true).await;
        let deliveries = &campaign.deliveries;
        assert_eq!((deliveries.without_record, deliveries.answered_well), (few(), few()), "{name}");
        assert!(campaign.brain.asked(Ask::Tools) > 0, "{name}");
        campaigns.push(campaign);
    }
    join_all(campaigns.into_iter().map(Campaign::leaves_nothing_behind)).await;
}
