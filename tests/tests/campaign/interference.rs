//! What others do meanwhile, on purpose or not.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};
use kube::{
    Api, Config,
    api::{DeleteParams, Patch, PatchParams},
};
use operator::controller::labels::OPERATOR;
use serde_json::json;
use tests::control_plane::ControlPlane;
use tokio::time::sleep;

use super::{
    clock::OwnClock,
    cluster_wide::Definition,
    faults::Faults,
    obstacle,
    operated::{Operated, Replica},
    place::{POLICY, Place},
    tampering::{OTHERS, Tampering},
};

/// How long a clock is wrong.
const FOR_A_WHILE: Duration = Duration::from_secs(5);
/// How long two operators work at a time.
const SIDE_BY_SIDE: Duration = Duration::from_secs(10);
/// Name of the operator's lease.
const LEASE: &str = OPERATOR;

/// What others do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interference {
    /// Something to the children.
    Children(Tampering),
    /// The policy's status is removed.
    StatusWiped,
    /// Another manager applies a status.
    StatusFaked,
    /// For a while a quota allows no new objects.
    Quota,
    /// For a while no pod may be created.
    LimitRange,
    /// The namespace is deleted, and made again.
    NamespaceEnding,
    /// Another holder is written into the lease.
    LeaseStolen,
    /// The lease is deleted.
    LeaseDeleted,
    /// For a while another operator works, too.
    TwoLeaders,
    /// The CustomResourceDefinition is that of another version for a while.
    Definition(Definition),
    /// The API server is killed, and started after so long.
    ApiServerAway(Duration),
    /// The clock of the operator's machine jumps an hour ahead, back, and right again.
    Clock,
}

/// Where it happens.
pub struct Stage<'a> {
    /// The control plane.
    pub plane: &'static ControlPlane,
    /// The configuration of its clients.
    pub config: &'a Config,
    /// The plan's namespace.
    pub place: &'a Place,
    /// The clock of the operator's machine, if it has one of its own.
    pub clock: Option<&'a OwnClock>,
}

impl Interference {
    /// Whether the user must apply the policy again afterwards.
    #[must_use]
    pub fn takes_the_policy_away(self) -> bool {
        matches!(self, Self::NamespaceEnding | Self::Definition(_))
    }

    /// Does it; whether there was anything to do it to. `choice` chooses where there is a choice.
    pub async fn act(self, stage: &Stage<'_>, choice: u64) -> bool {
        let place = stage.place;
        match self {
            Self::Children(tampering) => tampering.act(place, choice).await,
            Self::StatusWiped => wipe(place).await,
            Self::StatusFaked => fake(place).await,
            Self::Quota => obstacle::quota(place).await,
            Self::LimitRange => obstacle::limit_range(place).await,
            Self::NamespaceEnding => end_and_begin(place).await,
            Self::LeaseStolen => steal(&leases(place)).await,
            Self::LeaseDeleted => leases(place).delete(LEASE, &DeleteParams::default()).await.is_ok(),
            Self::TwoLeaders => work_side_by_side(stage).await,
            Self::Definition(definition) => definition.act(place).await,
            Self::ApiServerAway(time) => go_away(stage.plane, time).await,
            Self::Clock => jump(stage.clock).await,
        }
    }
}

async fn wipe(place: &Place) -> bool {
    let remove = json!([{"op": "remove", "path": "/status"}]);
    let patch = Patch::Json::<()>(serde_json::from_value(remove).expect("a JSON patch"));
    let others = PatchParams { field_manager: Some(OTHERS.into()), ..PatchParams::default() };
    place.policies().patch_status(POLICY, &others, &patch).await.is_ok()
}

async fn fake(place: &Place) -> bool {
    let condition = |kind: &str| {
        json!({"type": kind, "status": "Unknown", "reason": "Faked", "message": "m",
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let fake = json!({
        "apiVersion": "routing.hyperguild.io/v1alpha1",
        "kind": "RoutingPolicy",
        "metadata": {"name": POLICY},
        "status": {
            "observedGeneration": 999,
            "configHash": "0".repeat(64),
            "conditions": [condition("Odd"), condition("Ready")],
            "skills": [{"name": "ghost", "route": "Local"}],
        },
    });
    place.policies().patch_status(POLICY, &PatchParams::apply(OTHERS).force(), &Patch::Apply(fake)).await.is_ok()
}

async fn end_and_begin(place: &Place) -> bool {
    let began = place.delete().await;
    if began {
        place.until_gone().await;
        place.create().await;
    }
    began
}

fn leases(place: &Place) -> Api<Lease> {
    Api::namespaced(place.client.clone(), &place.namespace)
}

async fn steal(leases: &Api<Lease>) -> bool {
    let spec = json!({"holderIdentity": "a-thief", "renewTime": MicroTime(Timestamp::now())});
    leases.patch(LEASE, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await.is_ok()
}

async fn work_side_by_side(stage: &Stage<'_>) -> bool {
    let faults = Arc::new(Faults::new(None));
    let _second = Operated::start(stage.config, &stage.place.namespace, Replica::SecondLeader, faults);
    sleep(SIDE_BY_SIDE).await;
    true
}

async fn go_away(plane: &ControlPlane, time: Duration) -> bool {
    plane.stop_api_server();
    sleep(time).await;
    plane.start_api_server().await;
    true
}

async fn jump(clock: Option<&OwnClock>) -> bool {
    let Some(clock) = clock else { return false };
    for offset in ["+3600", "-3600", "+0"] {
        clock.set(offset);
        sleep(FOR_A_WHILE).await;
    }
    true
}
