//! The lease that decides which of two replicas works, on a control plane of each test's own.

use operator::controller::labels::OPERATOR;
use serde_json::json;
use tests::{
    cluster::{Kubectl, deploy},
    control_plane::ControlPlane,
    operator::{Operator, SERVICE_ACCOUNT},
    policies::{Policies, spec},
    stand_in::kubelet::Kubelet,
    waiting,
};

use crate::own_plane::{metric, plane};

async fn leader_and_standby(plane: &ControlPlane) -> (Operator, Operator) {
    plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
    let first = Operator::start(plane, "first", &[]).await;
    first.wait_until("watching").await;
    let second = Operator::start(plane, "second", &[]).await;
    second.wait_until("standing by").await;
    (first, second)
}

#[tokio::test]
async fn of_two_replicas_one_works_and_the_other_takes_over() {
    let plane = plane().await;
    let (first, second) = leader_and_standby(plane).await;
    assert_eq!(
        (metric(&first, "routing_operator_leader").await, metric(&second, "routing_operator_leader").await),
        (1, 0)
    );
    let policies = Policies::in_new_namespace(plane, "lease").await;
    let _kubelet = Kubelet::start(plane, "lease").await;
    policies.apply("edge", &spec(json!({})));
    policies.wait_until_ready("edge").await;
    // As if its node died: the lease is not released.
    first.kill();
    second.wait_until("watching").await;
    policies.apply("other", &spec(json!({})));
    policies.wait_until_ready("other").await;
    // A replica that comes back stands by.
    first.start_again();
    first.wait_until("standing by").await;
    assert_eq!(metric(&second, "routing_operator_leader").await, 1);
}

/// Runs a command of kubectl about the lease, whose name and namespace follow it.
fn lease(plane: &ControlPlane, command: &[&str]) -> Kubectl {
    plane.kubectl(&[command, &["lease", OPERATOR, "--namespace", SERVICE_ACCOUNT.1]].concat())
}

/// Who holds the lease, once there is one that somebody holds.
async fn holder(plane: &ControlPlane) -> String {
    waiting::until("somebody to hold the lease", || async {
        let holder = lease(plane, &["get", "--output=jsonpath={.spec.holderIdentity}"]).out;
        Some(holder).filter(|holder| !holder.is_empty())
    })
    .await
}

#[tokio::test]
async fn a_lease_that_somebody_deleted_is_taken_again_by_leader_or_standby() {
    let plane = plane().await;
    let (first, second) = leader_and_standby(plane).await;

    lease(plane, &["delete"]).expect_worked();
    let (leader, standby, name) =
        if holder(plane).await == "first" { (&first, &second, "second") } else { (&second, &first, "first") };
    leader.wait_until("watching").await;
    standby.wait_until("standing by").await;
    let leads = async |operator: &Operator| metric(operator, "routing_operator_leader").await;
    assert_eq!((leads(leader).await, leads(standby).await), (1, 0));

    // Without a leader that would renew the lease, and so notice.
    leader.kill();
    lease(plane, &["delete"]).expect_worked();
    standby.wait_until("watching").await;
    assert_eq!(holder(plane).await, name);
    let policies = Policies::in_new_namespace(plane, "lease-deleted").await;
    policies.apply("edge", &spec(json!({})));
    policies.wait_for_condition("edge", "Accepted", "True", "Accepted").await;
}
