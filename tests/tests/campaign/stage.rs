//! One plan on its stage: an operator, a user, and others, until the namespace is what the policy says.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    clock::OwnClock,
    converge::converge,
    events::{Disturbance, unexplained},
    faults::Faults,
    ground::Ground,
    interference::{Interference, Stage, late},
    lease,
    outcome::End,
    place::Place,
    plan::Plan,
    point::Point,
    reference::{Reference, events_of},
    user::follow,
};

/// Plays a plan; whether what was to go wrong did, and how it ended.
pub async fn play(ground: &Ground, plan: &Plan, reference: &Reference) -> (bool, End) {
    let place = Place::new(&ground.client, &plan.namespace()).await;
    let (faults, interference) = (Arc::new(Faults::new(plan.fault())), plan.interference());
    let has_clock = interference == Some(Interference::Clock);
    let clock = has_clock.then(|| OwnClock::start(ground, &place.namespace));
    let _operated = clock.is_none().then(|| ground.operate(&place, &faults));
    let stage = Stage { ground, place: &place, faults: &faults, clock: clock.as_ref() };
    let interfered = perform(plan, &stage).await;
    let further_changes = if interference.is_some_and(Interference::needs_the_user_again) {
        let steps = plan.scenario().once_more();
        follow(&place, &steps).await;
        steps.len() as u64
    } else {
        0
    };
    let ended = settle_twice(plan, reference, &stage, further_changes).await;
    let struck = interfered || faults.strikes() > 0;
    match ended {
        Ok(()) => {
            place.delete().await;
            (struck, End::Equal)
        }
        Err(lines) => (struck, End::Divergent(lines.into_iter().chain(faults.last_lines()).collect())),
    }
}

/// The user, and others who wait for the operator to reach the plan's point; whether they did something.
async fn perform(plan: &Plan, stage: &Stage<'_>) -> bool {
    let done = CancellationToken::new();
    let user = async {
        follow(stage.place, &plan.scenario().steps()).await;
        done.cancel();
    };
    let others = async {
        let Some(interference) = plan.interference() else { return false };
        // What a process of its own sends is not recorded: others begin at once.
        let begin = stage.clock.is_some() || is_reached(stage.faults, plan.point.as_ref(), &done).await;
        begin && interference.strike(stage, plan.choice, &done).await
    };
    let (interfered, ()) = tokio::join!(others, user);
    interfered
}

/// Returns once a point is reached; false if it is not a while after the user was done.
async fn is_reached(faults: &Faults, point: Option<&Point>, done: &CancellationToken) -> bool {
    let Some(point) = point else { return false };
    tokio::select! {
        () = faults.until(point) => true,
        () = late(done) => false,
    }
}

/// Waits until the namespace is as expected, and once more after a change: silence alone could also be that of an operator that
/// hangs. In between, it has not published more than it should have.
async fn settle_twice(
    plan: &Plan,
    reference: &Reference,
    stage: &Stage<'_>,
    further_changes: u64,
) -> Result<(), Vec<String>> {
    let (place, faults) = (stage.place, stage.faults);
    converge(place, &reference.end, faults).await?;
    let interference = plan.interference();
    let disturbance = Disturbance {
        leaders: interference.map_or(1, Interference::leaders),
        times: faults.strikes() + u64::from(interference.is_some()) + further_changes,
    };
    let mut lines = unexplained(&reference.events, &events_of(place).await, disturbance);
    // Rights take a moment to be in force again after the API server was away.
    if !matches!(interference, Some(Interference::ApiServerAway(_))) && faults.refusals("is forbidden: User") > 0 {
        lines.push("the operator asked for something that it has no right for".into());
    }
    if interference.is_some_and(Interference::is_of_the_lease) && !lease::is_taken_again(place).await {
        lines.push("no operator holds the lease".into());
    }
    if !lines.is_empty() {
        return Err(lines);
    }
    follow(place, &plan.scenario().probe()).await;
    let again = converge(place, &reference.end, faults).await;
    again.map(drop).map_err(|lines| [vec!["after one more change:".into()], lines].concat())
}
