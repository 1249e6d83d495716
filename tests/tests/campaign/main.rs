//! A campaign against the operator: what users do × what goes wrong meanwhile × when, each combination a plan with a seed,
//! on a real API server. From any of them the cluster becomes what the policy says, and then nothing is written any more.
//! `docs/campaign.md` says how to run it.

mod asked;
mod clock;
mod cluster_wide;
mod converge;
mod fault;
mod faults;
mod interference;
mod look;
mod obstacle;
mod operated;
mod perturbation;
mod place;
mod plan;
mod reference;
mod report;
mod requested;
mod run;
mod scenario;
mod service;
mod tampering;
mod user;
mod watch_stream;

use self::{requested::Requested, run::Campaign};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_the_cluster_becomes_what_the_policy_says_and_then_nothing_is_written() {
    let requested = Requested::from_environment();
    println!("{requested}");
    let tally = Campaign::begin().await.run(&requested).await;
    print!("{tally}");
    assert!(tally.divergent() == 0 && tally.plans() > 0, "{} of {} plans diverge", tally.divergent(), tally.plans());
    assert!(tally.not_reached() * 5 <= tally.plans(), "in more than a fifth of the plans nothing went wrong");
}
