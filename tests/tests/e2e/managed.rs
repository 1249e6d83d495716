//! The brain that the operator runs beside a policy: the whole loop from one file, its pod killed, the policy recreated,
//! and switched to another brain and back under calls.

use std::time::Duration;

use crds::policy::RoutingPolicyStatus;
use serde_json::{Value, json};
use tests::{
    mcp::Mcp,
    policies::{Policies, condition},
    waiting,
};

use crate::{
    load::{Load, Plan},
    setup::{self, BRAIN_TOKEN, count, spec},
};

const SKILL: &str = "looped";
/// The managed brain's port on every node.
const BRAIN_PORT: u16 = 30331;
/// The data plane's, under load: one that no other Service gets by chance.
const LOAD_PORT: u16 = 30350;

/// The brain, for a spec; its token is in the Secret `brain`.
fn managed() -> Value {
    json!({"managed": {"tokenSecretRef": {"name": "brain", "key": "TOKEN"}, "nodePort": BRAIN_PORT}})
}

fn policy(brain: &Value) -> Value {
    spec(json!({
        "brain": brain,
        "evidence": {"ttl": "1s"},
        "skills": [setup::skill(SKILL, json!({"text": "s"}))],
    }))
}

/// Reports how a decision turned out to the managed brain, through its port on a node.
async fn report(decision: &Value, status: &str) {
    let brain = Mcp::new(&format!("http://{}:{BRAIN_PORT}/mcp", setup::node_address().await)).token(BRAIN_TOKEN);
    let report = json!({"session_id": "s", "skill": SKILL, "phase": "outcome", "final_status": status, "message": "m",
        "project_root": "", "decision_id": decision});
    let taken = waiting::until("the brain to take the report", || async {
        let result = brain.result("session_log", report.clone()).await;
        (!result.is_error()).then_some(result)
    });
    taken.await;
}

fn rate(status: &RoutingPolicyStatus) -> Option<(String, u64)> {
    let skill = status.skills.iter().find(|skill| skill.name == SKILL)?;
    Some((skill.pass_rate.clone()?, skill.samples?))
}

/// Waits until the status shows that of one answer none was right.
async fn until_the_report_counts(policies: &Policies) {
    policies.wait_for("edge", "the rate", |status| rate(status) == Some(("0.00".into(), 1))).await;
}

async fn until_the_brain_serves(policies: &Policies) {
    policies.wait_for_condition("edge", "BrainReady", "True", "BrainReady").await;
}

async fn uid(policies: &Policies, kind: &str, name: &str) -> Value {
    let what = format!("{kind} {name}");
    waiting::until(&what, || policies.object(kind, name)).await["metadata"]["uid"].clone()
}

#[tokio::test]
async fn one_file_is_the_whole_loop_and_its_outcomes_survive_the_brains_pod_and_the_policy() {
    let policies = setup::prepared("e2e-managed").await;
    policies.apply("edge", &policy(&managed()));
    let waits = policies.wait_for_condition("edge", "BrainReady", "False", "PodNotRunning").await;
    assert!(waits.message.contains("CreateContainerConfigError"), "{}", waits.message);
    setup::secret("e2e-managed", "brain", &[("TOKEN", BRAIN_TOKEN)]);
    until_the_brain_serves(&policies).await;

    // The data plane gets the Secret at the kubelet's pace.
    let url = setup::served(&policies, "edge").await;
    let decision = Mcp::new(&url).result(SKILL, json!({})).await.decisions("id").remove(0);
    report(&decision, "fail").await;
    until_the_report_counts(&policies).await;

    let killed = uid(&policies, "Pod", "edge-brain-0").await;
    policies.kubectl(&["delete", "pod", "edge-brain-0", "--grace-period=0", "--force"]);
    waiting::until_true("another pod of the brain", || async { uid(&policies, "Pod", "edge-brain-0").await != killed })
        .await;
    until_the_brain_serves(&policies).await;
    until_the_report_counts(&policies).await;

    let claim = uid(&policies, "PersistentVolumeClaim", "data-edge-brain-0").await;
    policies.kubectl(&["delete", "rp", "edge"]);
    for (kind, name) in [("Pod", "edge-brain-0"), ("Service", "edge-brain"), ("Deployment", "edge")] {
        waiting::until_true_within(setup::PODS_LIMIT, &format!("{kind} {name} to go"), || async {
            policies.object(kind, name).await.is_none()
        })
        .await;
    }
    policies.apply("edge", &policy(&managed()));
    setup::served(&policies, "edge").await;
    until_the_brain_serves(&policies).await;
    assert_eq!(uid(&policies, "PersistentVolumeClaim", "data-edge-brain-0").await, claim, "the same claim");
    until_the_report_counts(&policies).await;
    setup::let_go("e2e-managed");
}

#[tokio::test]
async fn no_call_fails_while_a_policy_goes_from_a_brain_elsewhere_to_a_managed_one_and_back() {
    setup::brain().await;
    let policies = setup::prepared("e2e-managed-switch").await;
    setup::secret("e2e-managed-switch", "brain", &[("TOKEN", BRAIN_TOKEN)]);
    let elsewhere = setup::brain_with_token_of("brain");
    let with =
        |brain: &Value| spec(json!({"brain": brain, "evidence": {"ttl": "1s"}, "service": {"nodePort": LOAD_PORT}}));
    policies.apply("edge", &with(&elsewhere));
    setup::served(&policies, "edge").await;
    let load = Load::start(Plan { port: LOAD_PORT, token: None, per_second: 10, slow_one_in: 0, slow: Duration::ZERO });
    let mut claim = None;
    for round in 0..count(2, 5) {
        policies.apply("edge", &with(&managed()));
        policies.wait_until_ready("edge").await;
        until_the_brain_serves(&policies).await;
        let now = uid(&policies, "PersistentVolumeClaim", "data-edge-brain-0").await;
        assert_eq!(*claim.get_or_insert(now.clone()), now, "the same claim each time");
        policies.apply("edge", &with(&elsewhere));
        policies.wait_until_ready("edge").await;
        policies.wait_for("edge", "no brain", |status| condition(status, "BrainReady").is_none()).await;
        waiting::until_true_within(setup::PODS_LIMIT, "the brain's pod to go", || async {
            policies.object("Pod", "edge-brain-0").await.is_none()
        })
        .await;
        println!("  to a managed brain and back, {}: {} failed so far", round + 1, load.failures());
    }
    let report = load.end();
    println!("{}", report.line());
    report.expect_no_failure();
    setup::let_go("e2e-managed-switch");
}
