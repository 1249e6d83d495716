//! What plans are compared with: a fresh install of the end of their scenario. And what the scenario takes when nothing goes
//! wrong, so that a point in time is one that there is.

use std::sync::Arc;

use kube::{Client, Config};
use tests::control_plane::ControlPlane;

use super::{
    converge::{converge, settle},
    fault::Counts,
    faults::Faults,
    look::Snapshot,
    operated::{Operated, Replica},
    place::Place,
    scenario::Scenario,
    user::follow,
};

/// Where plans run.
pub struct Ground {
    /// The control plane.
    pub plane: &'static ControlPlane,
    /// The administrator's client.
    pub client: Client,
    /// The configuration of operators' clients.
    pub config: Config,
}

/// What a scenario leads to and takes when nothing goes wrong.
pub struct Reference {
    /// A fresh install of its end.
    pub end: Snapshot,
    /// What the operator sends in the course of it, and is told.
    pub counts: Counts,
}

impl Ground {
    /// The control plane of this process.
    pub async fn shared() -> Self {
        let plane = ControlPlane::shared().await;
        Self { plane, client: plane.client().await, config: plane.admin_config().await }
    }

    /// Starts the operator of a namespace.
    #[must_use]
    pub fn operate(&self, place: &Place, faults: &Arc<Faults>) -> Operated {
        Operated::start(&self.config, &place.namespace, Replica::First, Arc::clone(faults))
    }
}

/// Installs a scenario's end, and runs the scenario without faults, which must lead to the same.
///
/// # Errors
/// It does not, or one of the two does not come to rest.
pub async fn measure(ground: &Ground, scenario: &Scenario) -> Result<Reference, Vec<String>> {
    let name = scenario.name;
    let place = Place::new(&ground.client, &format!("campaign-clean-{name}")).await;
    let faults = Arc::new(Faults::new(None));
    let _operated = ground.operate(&place, &faults);
    let steps = scenario.steps();
    let (end, ()) = tokio::join!(install(ground, scenario), follow(&place, &steps));
    let end = end.map_err(|moved| vec![format!("a fresh install of {name}: {moved}")])?;
    let clean = converge(&place, &end, &faults).await;
    let counts = clean.map_err(|lines| [vec![format!("{name} without faults:")], lines].concat())?;
    println!("{name} without faults: {counts:?}");
    place.delete().await;
    Ok(Reference { end, counts })
}

/// What a fresh install of a scenario's end is.
async fn install(ground: &Ground, scenario: &Scenario) -> Result<Snapshot, String> {
    let place = Place::new(&ground.client, &format!("campaign-fresh-{}", scenario.name)).await;
    let faults = Arc::new(Faults::new(None));
    let _operated = ground.operate(&place, &faults);
    follow(&place, &scenario.end()).await;
    let settled = settle(&place, &faults).await;
    place.delete().await;
    settled
}
