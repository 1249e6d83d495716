//! Runs plans: each in a namespace of its own with an operator of its own, several at a time on one control plane.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{
    clock::OwnClock,
    converge::converge,
    fault::{Fault, Target},
    faults::Faults,
    interference::{Interference, Stage},
    look::Snapshot,
    place::Place,
    plan::Plan,
    reference::{Ground, Reference, measure},
    report::{End, Outcome, Tally},
    requested::Requested,
    scenario::SCENARIOS,
    user::follow,
};

/// Plans at a time: most of a plan is waiting.
const AT_ONCE: usize = 6;
/// References that are made at a time, besides.
const REFERENCES_AT_ONCE: usize = 2;
/// How long others still wait for the operator's n-th write when the user is done.
const LATE: Duration = Duration::from_secs(10);

/// A control plane with what plans are compared with.
pub struct Campaign {
    ground: Ground,
    references: Vec<OnceCell<Result<Reference, Vec<String>>>>,
}

impl Campaign {
    /// With the control plane of this process.
    pub async fn begin() -> Self {
        let references = SCENARIOS.iter().map(|_| OnceCell::new()).collect();
        Self { ground: Ground::shared().await, references }
    }

    /// Runs what is requested, and prints each plan as it ends.
    pub async fn run(&self, requested: &Requested) -> Tally {
        let began = Instant::now();
        let ahead =
            stream::iter(requested.scenarios()).for_each_concurrent(REFERENCES_AT_ONCE, |scenario| async move {
                // One that failed is reported by the plans that need it.
                let _ = self.reference(scenario).await;
            });
        let ((), mut outcomes) = tokio::join!(ahead, self.together(requested.together(began)));
        if requested.is_full() {
            outcomes.extend(self.together(self.crashes()).await);
        }
        for plan in requested.alone(began) {
            outcomes.push(self.one(plan).await);
        }
        Tally::new(began, outcomes)
    }

    /// A crash before and after each write of each scenario.
    fn crashes(&self) -> impl Iterator<Item = Plan> {
        let made = |(scenario, of): (usize, &OnceCell<Result<Reference, _>>)| {
            let reference = of.get()?.as_ref().ok()?;
            Some(Plan::crashes(scenario, reference.counts.of(Target::Write)))
        };
        self.references.iter().enumerate().filter_map(made).flatten()
    }

    async fn together(&self, plans: impl Iterator<Item = Plan>) -> Vec<Outcome> {
        stream::iter(plans).map(|plan| self.one(plan)).buffer_unordered(AT_ONCE).collect().await
    }

    /// Runs a plan; one that panics ends no other.
    async fn one(&self, plan: Plan) -> Outcome {
        let began = Instant::now();
        let end = AssertUnwindSafe(self.end_of(&plan)).catch_unwind().await;
        let end = end.unwrap_or_else(|panic| End::Divergent(vec![said(&*panic)]));
        let outcome = Outcome { plan, end, took: began.elapsed() };
        println!("{outcome}");
        outcome
    }

    async fn end_of(&self, plan: &Plan) -> End {
        let Reference { end, counts } = match self.reference(plan.scenario).await {
            Ok(reference) => reference,
            Err(why) => return End::Divergent(why.clone()),
        };
        let place = Place::new(&self.ground.client, &format!("campaign-{}", plan.seed)).await;
        let fault =
            plan.fault().map(|(target, act, times)| Fault { target, act, nth: plan.point(counts.of(target)), times });
        let faults = Arc::new(Faults::new(fault));
        let due = plan.point(counts.of(Target::Write));
        let (ended, interfered) = self.play(plan, due, &place, &faults, end).await;
        match ended {
            Err(lines) => End::Divergent(lines.into_iter().chain(faults.sent()).collect()),
            Ok(()) if interfered || faults.last_acted().is_some() => End::Equal,
            Ok(()) => End::NotReached,
        }
    }

    /// Runs an operator, the user, and others who wait for its write with the number that is due, until the namespace is as
    /// expected. Returns how that ended, and whether others interfered.
    async fn play(
        &self,
        plan: &Plan,
        due: u64,
        place: &Place,
        faults: &Arc<Faults>,
        expected: &Snapshot,
    ) -> (Result<(), Vec<String>>, bool) {
        let (ground, interference) = (&self.ground, plan.interference());
        let has_clock = interference == Some(Interference::Clock);
        let clock = has_clock.then(|| OwnClock::start(ground.plane, &place.namespace));
        let _operated = clock.is_none().then(|| ground.operate(place, faults));
        let stage = Stage { plane: ground.plane, config: &ground.config, place, clock: clock.as_ref() };
        let done = CancellationToken::new();
        let user = async {
            follow(place, &plan.scenario().steps()).await;
            done.cancel();
        };
        let others = async {
            let Some(interference) = interference else { return false };
            // What a process of its own sends is not counted: others begin at once.
            let begin = clock.is_some() || is_reached(faults, due, &done).await;
            begin && interference.act(&stage, plan.choice).await
        };
        let (interfered, ()) = tokio::join!(others, user);
        if interference.is_some_and(Interference::takes_the_policy_away) {
            follow(place, &plan.scenario().once_more()).await;
        }
        let mut ended = converge(place, expected, faults).await.map(drop);
        if ended.is_ok() {
            // Silence alone could also be that of an operator that hangs.
            follow(place, &plan.scenario().probe()).await;
            let again = converge(place, expected, faults).await.map(drop);
            ended = again.map_err(|lines| [vec!["after one more change:".into()], lines].concat());
        }
        if ended.is_ok() {
            place.delete().await;
        }
        (ended, interfered)
    }

    /// What the plans of a scenario are compared with; made when it is first needed.
    async fn reference(&self, scenario: usize) -> &Result<Reference, Vec<String>> {
        let made = || async {
            let made = AssertUnwindSafe(measure(&self.ground, &SCENARIOS[scenario])).catch_unwind().await;
            made.unwrap_or_else(|panic| Err(vec![said(&*panic)]))
        };
        self.references[scenario].get_or_init(made).await
    }
}

/// Returns once the operator has sent so many writes; false if it has not a while after the user was done.
async fn is_reached(faults: &Faults, writes: u64, done: &CancellationToken) -> bool {
    let too_late = async {
        done.cancelled().await;
        tokio::time::sleep(LATE).await;
    };
    tokio::select! {
        () = faults.until_writes(writes) => true,
        () = too_late => false,
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_string()
}
