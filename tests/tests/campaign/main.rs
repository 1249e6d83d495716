//! A campaign against the operator: what users do × what goes wrong meanwhile × when, each combination a plan with a seed,
//! on a real API server. From any of them the cluster becomes what the policy says, and then nothing is written any more.
//! `docs/campaign.md` says how to run it.

mod api_request;
mod clock;
mod cluster_wide;
mod converge;
mod events;
mod fault;
mod faults;
mod generated;
mod ground;
mod interference;
mod lease;
mod obstacle;
mod operated;
mod outcome;
mod perturbation;
mod place;
mod plan;
mod point;
mod policy_tampering;
mod random;
mod raw_output;
mod reference;
mod report;
mod requested;
mod run;
mod scenario;
mod service;
mod snapshot;
mod stage;
mod tampering;
mod user;
mod wait;
mod watch_stream;

use self::{requested::Requested, run::Campaign};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_the_cluster_becomes_what_the_policy_says_and_then_nothing_is_written() {
    let requested = Requested::from_environment();
    let tally = Campaign::begin().await.run(&requested).await;
    let (plans, wrong, unreached) = (tally.plans(), tally.wrong(), tally.unreached());
    assert!(wrong == 0 && plans > 0, "{wrong} of {plans} plans diverge or do not end");
    if let Some(part) = requested.unreached_at_most() {
        assert!(unreached * part <= plans, "in {unreached} of {plans} plans nothing went wrong");
    }
}
