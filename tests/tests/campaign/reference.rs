//! What plans are compared with: a fresh install of the end of their scenario. And what the scenario takes when nothing goes
//! wrong, so that a point is one that there is.

use std::sync::Arc;

use super::{
    converge::{converge, settle},
    events::{Published, published},
    faults::Faults,
    ground::Ground,
    place::Place,
    point::Recorded,
    scenario::Scenario,
    snapshot::Snapshot,
    user::follow,
    wait,
};

/// What a scenario leads to and takes when nothing goes wrong.
pub struct Reference {
    /// A fresh install of its end.
    pub end: Snapshot,
    /// What the operator sends in the course of it, and is told.
    pub recorded: Vec<Recorded>,
    /// The events that it publishes.
    pub events: Published,
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
    let converged = converge(&place, &end, &faults).await;
    let points = converged.map_err(|lines| [vec![format!("{name} without faults:")], lines].concat())?;
    let events = events_of(&place).await;
    let mut recorded = faults.recorded();
    recorded.truncate(points);
    println!("{name} without faults: {:?}, {points} points, events {events:?}", faults.counts());
    place.delete().await;
    Ok(Reference { end, recorded, events })
}

/// The events that the operator has published in a namespace.
pub async fn events_of(place: &Place) -> Published {
    wait::until("the events", || async { published(place).await.ok() }).await
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
