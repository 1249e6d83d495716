//! Rates that are wrong, change with each request, or tell of times that cannot be.

use serde_json::{Value, json};
use tests::{
    calls::CALLS,
    fault_server::{
        Answer, Fault,
        brain::{Ask, Takes},
    },
    waiting,
};

use crate::{
    AT_A_TIME,
    campaign::{Campaign, nothing_is_held},
    few,
    held::has,
    lies::{self, Has},
};

/// Ages of the outcomes behind a rate, and what the record says of them.
const AGES: [(&str, &str); 6] = [
    ("0", "0"),
    ("18446744073709551615", "18446744073709551615"),
    ("-1", "null"),
    ("1e300", "null"),
    (r#""soon""#, "null"),
    ("null", "null"),
];

/// Rates of two requests in turn, on both sides of a threshold.
const FLAPPING: [[&str; 2]; 2] = [["0.89", "0.91"], ["0.69", "0.71"]];

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_wrong_in_itself_is_no_rate_and_kept_for_no_call_and_an_odd_one_is_used() {
    let mut campaign = Campaign::start(Takes::Several, nothing_is_held(), AT_A_TIME).await;
    for (name, answer, has) in lies::of_rates() {
        campaign.brain.fail(vec![(Ask::Rate, Fault::answer(answer))]);
        let row = campaign.row(&name, few()).await;
        match has {
            Has::Rate(rate) => row.has_rate(rate),
            Has::Error(kind) => {
                row.has_no_rate(kind);
                campaign.each_request_is_counted(&row, true).await;
            }
        }
    }
    campaign.accounts_for_all(true).await;
    campaign.leaves_nothing_behind().await;
}

/// Each call is decided by the rate that its answer, its record and its entry name: all of them agree in every row.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_flaps_around_a_threshold_decides_each_call_by_the_one_that_its_record_names() {
    let mut campaign = Campaign::start(Takes::Several, nothing_is_held(), AT_A_TIME).await;
    for rates in FLAPPING {
        let answer = |rate| (Ask::Rate, Fault::answer(Answer::rate(rate)));
        campaign.brain.fail(rates.map(answer).into());
        let row = campaign.row(&format!("{rates:?} in turn"), CALLS).await;
        for rate in rates {
            assert!(row.records.iter().any(|record| has(record, rate)), "nobody has {rate}");
        }
        let known =
            |record: &Value| record["pass_rate"].is_null() || rates.contains(&&*record["pass_rate"].to_string());
        assert!(row.records.iter().all(known), "{rates:?}");
        campaign.delivers(&row).await;
    }
    campaign.accounts_for_all(true).await;
    campaign.leaves_nothing_behind().await;
}

/// The answer of a brain that tells the models apart, with the age of the outcomes that it rests on, and the time at
/// which its evidence begins: far in the future.
fn aged(age: &str) -> Answer {
    let claude = r#"{"pass_rate":0.91,"pass":20,"fail":2}"#;
    let times = format!(r#""since":99999999999999,"held":true,"held_age_ms":{age}"#);
    Answer::of(format!(r#"{{"pass_rate":0.95,"pass":40,"fail":1,"total":97,"claude":{claude},{times}}}"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_whose_clock_is_wrong_changes_no_decision_and_no_age_of_the_rate_itself() {
    let evidence = json!({"of": "Model", "ttl": "1ms", "holdFor": "0s"});
    let mut campaign = Campaign::start(Takes::Several, evidence, AT_A_TIME).await;
    for (age, noted) in AGES {
        campaign.brain.fail(vec![(Ask::Rate, Fault::answer(aged(age)))]);
        let row = campaign.row(&format!("outcomes of an age of {age}"), CALLS).await;
        row.has_rate("0.95");
        for record in row.records.iter().filter(|record| !record["pass_rate"].is_null()) {
            assert_eq!((&record["held"], record["held_age_ms"].to_string()), (&json!(true), noted.into()), "{record}");
            let since_asked = record["evidence_age_ms"].as_u64().expect("an age");
            assert!(u128::from(since_asked) < waiting::LIMIT.as_millis(), "{record}");
        }
    }
    campaign.accounts_for_all(true).await;
    campaign.leaves_nothing_behind().await;
}
