//! A local model that hangs or drips before Claude answers, and both models that do.
//!
//! From the environment alone an attempt of the local model has 75 s. A policy gives it less, and gives it a circuit, too:
//! after five failures calls do without it. So calls come in bursts, each with another local model, by the path of its URL,
//! and with it another circuit, until a thousand calls have met the fault.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tests::{
    Policy,
    calls::CALLS,
    fault_server::{FAULTY, Fault, FaultServer, GOOD, Point},
    program::{Program, Running},
    waiting,
};

use super::{
    ATTEMPT, PATIENT,
    campaign::Campaign,
    table::{self, Case},
};

/// Calls of a burst: all of them are in flight at once.
const BURST: usize = 200;
/// Failures in a row that open a circuit.
const FAILURES: usize = 5;
/// The time of a call where both models hang.
const TOTAL: Duration = Duration::from_secs(1);

/// A policy whose local model has little time, while Claude has all that it needs.
pub fn hasty(local: &str, claude: &str) -> Policy {
    Policy::at(claude).local(FAULTY).claude(GOOD).spec(json!({
        "models": {"local": {"upstream": {"url": local}}},
        "timeouts": {"local": ATTEMPT, "total": PATIENT},
    }))
}

/// Bursts of calls.
pub struct Bursts {
    campaign: Campaign,
    /// The file of the policy.
    file: PathBuf,
    policy: Policy,
    /// The URL of the local models, without their paths.
    local: String,
    models: usize,
}

impl Bursts {
    /// Of a data plane with this policy, to which the URL of the local models belongs.
    pub async fn start(policy: Policy, local: &str) -> Self {
        let routing = Program::serve_policy(&policy).start().await;
        let file = routing.folder().join("policy.yaml");
        Self::of(routing, file, policy, local)
    }

    /// Of a data plane whose policy is in this file.
    pub fn of(routing: Running, file: PathBuf, policy: Policy, local: &str) -> Self {
        let campaign = Campaign::of(routing).calls(BURST).with_circuit();
        Self { campaign, file, policy, local: local.into(), models: 0 }
    }

    /// Puts another policy in force.
    pub async fn change_to(&self, policy: &Policy) {
        let routing = self.campaign.routing();
        let before = routing.status().await["configHash"].clone();
        std::fs::write(&self.file, policy.to_string()).expect("written");
        waiting::until_true("the changed policy", || async { routing.status().await["configHash"] != before }).await;
    }

    async fn change_model(&mut self) {
        self.models += 1;
        let url = format!("{}/{}", self.local, self.models);
        let changes = json!({"models": {"local": {"upstream": {"url": url}}}});
        self.change_to(&self.policy.clone().spec(changes)).await;
    }

    /// A thousand calls meet the fault of the local model, and Claude, whose endpoint this is, answers each. Returns how many
    /// calls asked the local model.
    pub async fn meet(&mut self, case: &Case, claude: &FaultServer) -> usize {
        claude.fail(Fault::NONE);
        let (mut met, mut made) = (0, 0);
        while met < CALLS {
            self.change_model().await;
            let fell_back = self.campaign.fall_back(case).await;
            assert!(fell_back >= FAILURES, "{}: {fell_back} calls asked the local model", case.name);
            (met, made) = (met + fell_back, made + BURST);
        }
        println!("{}: {met} of {made} calls met it", case.name);
        assert_eq!(claude.asked(), (0, made), "{}: Claude is asked once for each call", case.name);
        met
    }

    /// A thousand calls meet the fault of both models. Returns how long each attempt of Claude took.
    async fn meet_twice(&mut self, case: &Case) -> Vec<Duration> {
        let (mut met, mut took) = (0, vec![]);
        while met < CALLS {
            self.change_model().await;
            let records = self.campaign.both_fail(case).await;
            let of = |decision: &'static str| records.iter().filter(move |record| record["decision"] == decision);
            met += of("local").count();
            took.extend(of("claude_fallback").map(duration));
        }
        println!("{}: {met} of {} calls met it twice", case.name, took.len());
        took
    }

    /// The data plane.
    pub fn routing(&self) -> &Running {
        self.campaign.routing()
    }

    /// The process runs, works on nothing, and holds what it held before.
    pub async fn leave_nothing_behind(self) {
        self.campaign.leaves_nothing_behind().await;
    }
}

fn duration(record: &Value) -> Duration {
    Duration::from_millis(record["duration_ms"].as_u64().expect("a number"))
}

async fn each_is_met(cases: Vec<Case>) {
    // One for each model: what happens to a connection would happen to both.
    let (local, claude) = (FaultServer::start().await, FaultServer::start().await);
    let mut bursts = Bursts::start(hasty(&local.url(), &claude.url()), &local.url()).await;
    for case in cases {
        local.fail(case.fault.clone());
        let met = bursts.meet(&case, &claude).await;
        let asked = local.asked().0;
        // A probe has a connection, too.
        let right = (1..=met).contains(&asked) || case.fault.at == Point::Accepted;
        assert!(right, "{}: asked {asked} times for {met} attempts", case.name);
    }
    bursts.leave_nothing_behind().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_that_hangs_at_any_point_costs_its_own_time_and_then_claude_answers() {
    each_is_met(table::hangs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_model_that_drips_at_any_point_costs_its_own_time_and_then_claude_answers() {
    each_is_met(table::drips()).await;
}

/// Claude may have a minute for itself, and has what the local model left of the second that is for both.
#[tokio::test(flavor = "multi_thread")]
async fn when_both_models_hang_or_drip_each_call_ends_at_its_one_deadline_and_names_both_attempts() {
    let server = FaultServer::start().await;
    let own = json!({"models": {"claude": {"timeout": PATIENT}}, "timeouts": {"total": "1s"}});
    let mut bursts = Bursts::start(hasty(&server.url(), &server.url()).spec(own), &server.url()).await;
    for case in table::both_without_end() {
        server.fail_all(case.fault.clone());
        let took = bursts.meet_twice(&case).await;
        let (shortest, longest) = (took.iter().min(), took.iter().max());
        println!("{}: Claude's attempts took {shortest:?} to {longest:?}", case.name);
        // A busy machine may end an attempt late, but neither by a minute nor each by as much as the local model took.
        assert!(took.iter().all(|took| *took < waiting::LIMIT / 2), "{}: {longest:?}", case.name);
        assert!(took.iter().any(|took| *took < TOTAL * 3 / 4), "{}: {shortest:?}", case.name);
    }
    bursts.leave_nothing_behind().await;
}
