//! The lease of the operator of a plan, as others treat it.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use operator::controller::labels::OPERATOR;
use serde_json::json;

use super::{place::Place, wait};

/// Name of the lease.
const LEASE: &str = OPERATOR;
/// Who steals it.
const THIEF: &str = "a-thief";
/// Longest wait until an operator holds it again: a lease lasts 15 s, and one that is gone is noticed when it would be renewed.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

fn leases(place: &Place) -> Api<Lease> {
    Api::namespaced(place.client.clone(), &place.namespace)
}

/// Writes another holder into it; whether it has that one then.
pub async fn steal(place: &Place) -> bool {
    let spec = json!({"holderIdentity": THIEF, "renewTime": MicroTime(Timestamp::now())});
    let stolen = leases(place).patch(LEASE, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await;
    stolen.is_ok_and(|lease| lease.spec.and_then(|spec| spec.holder_identity).as_deref() == Some(THIEF))
}

/// Deletes it; whether there was one.
pub async fn delete(place: &Place) -> bool {
    leases(place).delete(LEASE, &DeleteParams::default()).await.is_ok()
}

/// Waits until an operator holds it again, but not for ever; whether one does.
pub async fn is_taken_again(place: &Place) -> bool {
    wait::for_a_while(TAKEN_WITHIN, || async {
        let lease = leases(place).get(LEASE).await.ok();
        lease.and_then(|lease| lease.spec?.holder_identity).is_some_and(|holder| holder != THIEF)
    })
    .await
}

/// By how many seconds the time at which it was last renewed is ahead of this machine's clock.
pub async fn seconds_ahead(place: &Place) -> Option<i64> {
    let renewed = leases(place).get(LEASE).await.ok()?.spec?.renew_time?;
    Some(renewed.0.as_second() - Timestamp::now().as_second())
}
