//! The kubelet is away: pods run on, and get nothing new.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    policies::{Policies, condition},
    policy::merged,
};

use super::{PartAway, REPLICAS, all_run, is_done, load};
use crate::{
    pods,
    routing_policy::{self, NAME, NODE_PORT, TOKEN},
};

/// How long it is away after the change: long enough for several notifications of the pods, and far below the ten minutes
/// after which this cluster counts a node as lost.
const AWAY: Duration = Duration::from_secs(40);

/// The usual policy with two pods; `n` is what changes in its config.
fn policy(n: u32) -> Value {
    merged(routing_policy::spec(), json!({"dataPlane": {"replicas": REPLICAS}, "limits": {"inFlight": 100 + n}}))
}

/// Checks that the status never claims that pods run what they cannot have.
async fn says_that_it_is_pending(policies: &Policies) {
    let pending = policies.wait_for_condition(NAME, "Programmed", "False", "ConfigPending").await;
    assert!(pending.message.starts_with(&format!("0 of {REPLICAS} pods run config ")), "{}", pending.message);
    let until = Instant::now() + AWAY;
    while Instant::now() < until {
        let status = policies.get(NAME).await.status.expect("a status");
        for kind in ["Programmed", "Ready"] {
            let found = condition(&status, kind).expect("the condition");
            assert_eq!((found.status.as_str(), found.reason.as_str()), ("False", "ConfigPending"), "{kind}");
        }
        assert_eq!(status.replicas.map(|replicas| replicas.programmed), Some(0));
        // The absence itself.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Paused, as when it hangs, and then stopped and started, as when it is upgraded. In this order: Kubernetes 1.34 takes a
/// pod for not ready from the start of a kubelet until that one's first probe of it, so calls of that moment may fail, and
/// are counted apart.
#[tokio::test]
async fn a_kubelet_that_is_away_fails_no_call_and_a_change_is_reported_as_pending_until_it_is_back() {
    if !is_done("an absence of the kubelet") {
        return;
    }
    let policies = routing_policy::ready().await;
    policies.apply(NAME, &policy(0));
    policies.wait_until_ready(NAME).await;
    let pods_before = pods::generation(&policies, NAME).await;
    for (action, n) in [("pause", 1), ("stop", 2)] {
        let before = policies.wait_until_ready(NAME).await;
        let calls = load(NODE_PORT, Some(TOKEN));
        let away = PartAway::take(action, "kubelet");
        policies.apply(NAME, &policy(n));
        says_that_it_is_pending(&policies).await;
        let report = calls.end();
        println!("kubelet away ({action}): {}", report.line());
        report.expect_no_failure();

        let calls = load(NODE_PORT, Some(TOKEN));
        let back = Instant::now();
        away.back();
        let after = policies.wait_until_ready(NAME).await;
        println!("  the change is on all pods {:.1?} after it is started; {}", back.elapsed(), calls.end().line());
        assert_ne!(after.config_hash, before.config_hash);
        all_run(&policies, NAME, &after).await;
        assert_eq!(pods::generation(&policies, NAME).await, pods_before, "no pod was replaced or restarted");
    }
    policies.apply(NAME, &routing_policy::spec());
    policies.wait_until_ready(NAME).await;
}
