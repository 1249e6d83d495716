//! Endpoints of models that hang, drip, cut, lie and flood at every point of an exchange, under load: each call has one
//! well-formed answer, each model call one record, and nothing is left behind (`tests/faults.toml`, rows 28 to 33).
//!
//! A row of a table has 1,000 calls.

mod campaign;
mod hanging;
mod name_server;
mod names;
mod shapes;
mod table;
mod unreachable;

use serde_json::json;
use tests::{
    Policy,
    calls::{self, CALLS},
    fault_server::{FAULTY, FaultServer},
    program::Program,
};

use self::{campaign::Campaign, table::Case, unreachable::with_local_at};

/// Longest attempt of a model that hangs: short, as a thousand calls wait for it.
const ATTEMPT: &str = "500ms";
/// Time of an attempt that ends by itself.
const PATIENT: &str = "60s";

/// From the environment alone, so every call reaches the local model, however often that failed.
async fn with_local(server: &FaultServer) -> Campaign {
    Campaign::of(with_local_at(&server.url(), server).start().await)
}

/// A policy whose calls all go to a faulty Claude model, with this long for an attempt.
fn claude_alone(url: &str, attempt: &str) -> Policy {
    let skills = json!([{"name": "debug", "route": "Claude"}]);
    Policy::at(url).claude(FAULTY).spec(json!({"skills": skills, "models": {"claude": {"timeout": attempt}}}))
}

async fn with_each_fault_of_the_local_model(cases: impl IntoIterator<Item = Case>) {
    let server = FaultServer::start().await;
    let mut campaign = with_local(&server).await;
    for case in cases {
        server.fail(case.fault.clone());
        campaign.local(&case, &server).await;
    }
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_that_cuts_lies_or_floods_costs_its_own_attempt_and_claude_answers() {
    with_each_fault_of_the_local_model(table::broken_exchanges()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_wrong_in_itself_costs_its_own_attempt_and_an_odd_one_is_used() {
    with_each_fault_of_the_local_model(shapes::answers()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_status_of_a_local_model_has_one_record_and_is_neither_waited_out_nor_tried_again() {
    with_each_fault_of_the_local_model(table::statuses()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_models_fail_at_any_point_each_call_has_one_error_that_names_both_attempts() {
    let server = FaultServer::start().await;
    let mut campaign = with_local(&server).await;
    for case in table::failures_of_both() {
        server.fail_all(case.fault.clone());
        campaign.both(&case, &server).await;
    }
    campaign.leaves_nothing_behind().await;
}

async fn with_each_fault_of_claude(attempt: &str, calls: usize, cases: impl IntoIterator<Item = Case>) {
    let server = FaultServer::start().await;
    let program = Program::serve_policy(&claude_alone(&server.url(), attempt));
    let mut campaign = Campaign::of(program.start().await).calls(calls);
    for case in cases {
        server.fail(case.fault.clone());
        campaign.claude_at(&case, &server).await;
    }
    campaign.leaves_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_or_drips_at_any_point_costs_each_call_its_time_and_no_more() {
    with_each_fault_of_claude(ATTEMPT, CALLS, table::hangs().into_iter().chain(table::drips())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_that_cuts_lies_or_floods_costs_one_request_a_call_and_is_not_tried_again() {
    with_each_fault_of_claude(PATIENT, CALLS, table::broken_exchanges()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_status_of_claude_is_one_error_and_is_neither_waited_out_nor_tried_again() {
    with_each_fault_of_claude(PATIENT, CALLS, table::statuses()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_claude_that_is_wrong_in_itself_is_one_error_and_an_odd_one_is_used() {
    with_each_fault_of_claude(PATIENT, calls::in_make_test(200), shapes::answers()).await;
}
