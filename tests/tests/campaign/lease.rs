//! The lease of the operator of a plan, as others treat it.

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use operator::controller::labels::OPERATOR;
use serde_json::json;

use super::place::Place;

/// Name of the lease.
const LEASE: &str = OPERATOR;
/// Who steals it.
const THIEF: &str = "a-thief";

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

/// By how many seconds the time at which it was last renewed is ahead of this machine's clock.
pub async fn seconds_ahead(place: &Place) -> Option<i64> {
    let renewed = leases(place).get(LEASE).await.ok()?.spec?.renew_time?;
    Some(renewed.0.as_second() - Timestamp::now().as_second())
}
