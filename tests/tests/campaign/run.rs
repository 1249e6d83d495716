//! Runs plans: each in a namespace of its own with an operator of its own, several at a time on one control plane.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream};
use tests::{host, number};
use tokio::sync::OnceCell;

use super::{
    generated::{crashes, faults_of_requests},
    ground::Ground,
    outcome::{End, Outcome, message_of},
    plan::Plan,
    point::Recorded,
    raw_output::RawOutput,
    reference::{Reference, measure},
    report::Tally,
    requested::{Part, Requested},
    scenario::SCENARIOS,
    stage::play,
};

/// Plans at a time, unless `CAMPAIGN_AT_ONCE` says another number: most of a plan is waiting.
const AT_ONCE: usize = 6;
/// References that are made at a time, besides.
const REFERENCES_AT_ONCE: usize = 2;
/// Longest plan: a request that hangs, 90 s to converge, and the same after one more change take a third of it.
const PLAN_MAX: Duration = Duration::from_secs(900);

/// What the plans of a scenario are compared with, or how the attempt to measure it ended.
type Measured = Result<Reference, End>;

/// A control plane with what plans are compared with.
pub struct Campaign {
    ground: Ground,
    references: Vec<OnceCell<Measured>>,
    at_once: usize,
    raw: RawOutput,
    /// Plans that have ended.
    ended: AtomicUsize,
}

impl Campaign {
    /// With a control plane of its own.
    pub async fn begin() -> Self {
        let references = SCENARIOS.iter().map(|_| OnceCell::new()).collect();
        let (raw, at_once) = (RawOutput::from_environment(), number("CAMPAIGN_AT_ONCE", AT_ONCE).max(1));
        Self { ground: Ground::prepare().await, references, at_once, raw, ended: AtomicUsize::new(0) }
    }

    /// Runs what is requested, and prints each plan as it ends.
    pub async fn run(&self, requested: &Requested) -> Tally {
        let began = Instant::now();
        self.tell(&format!("{}\n{requested}; {} plans at a time", host::described(), self.at_once));
        let ahead =
            stream::iter(requested.scenarios()).for_each_concurrent(REFERENCES_AT_ONCE, |scenario| async move {
                // One that failed is reported by the plans that need it.
                let _ = self.reference(scenario).await;
            });
        let ((), mut outcomes) = tokio::join!(ahead, self.together(requested.together(began)));
        outcomes.extend(self.together(self.generated(requested).into_iter()).await);
        let alone = requested.alone();
        let last = self.ended() + alone.len();
        for plan in alone {
            outcomes.push(self.one(plan, Some(last)).await);
        }
        let tally = Tally::new(began.elapsed(), outcomes);
        self.tell(&tally.to_string());
        self.raw.complete();
        tally
    }

    /// The plans that are made of what operators were seen to send.
    fn generated(&self, requested: &Requested) -> Vec<Plan> {
        let Some(parts) = requested.parts() else { return vec![] };
        let run = |(scenario, of): (usize, &OnceCell<Measured>)| {
            let reference = of.get()?.as_ref().ok()?;
            Some((scenario, reference.recorded.clone()))
        };
        let runs: Vec<(usize, Vec<Recorded>)> = self.references.iter().enumerate().filter_map(run).collect();
        let runs: Vec<(usize, &[Recorded])> = runs.iter().map(|(scenario, run)| (*scenario, run.as_slice())).collect();
        let mut plans = vec![];
        if parts.which.contains(&Part::Crashes) {
            plans.extend(crashes(&runs));
        }
        if parts.which.contains(&Part::Requests) {
            plans.extend(faults_of_requests(&runs, parts.everywhere));
        }
        plans
    }

    async fn together(&self, plans: impl Iterator<Item = Plan>) -> Vec<Outcome> {
        let last = plans.size_hint().1.map(|count| self.ended() + count);
        stream::iter(plans).map(|plan| self.one(plan, last)).buffer_unordered(self.at_once).collect().await
    }

    /// Runs a plan, and tells how it ended; `last` is the number of the last plan of its kind, if it is known.
    async fn one(&self, plan: Plan, last: Option<usize>) -> Outcome {
        let outcome = self.outcome_of(plan).await;
        self.raw.line(&outcome);
        let number = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let last = last.map(|last| format!("/{last}")).unwrap_or_default();
        println!("{number:>5}{last}  {outcome}");
        outcome
    }

    /// A plan that panics or takes too long ends no other.
    async fn outcome_of(&self, plan: Plan) -> Outcome {
        let reference = match self.reference(plan.scenario).await {
            Ok(reference) => reference,
            Err(end) => return Outcome { plan, struck: false, end: end.clone(), took: Duration::ZERO },
        };
        let (began, plan) = (Instant::now(), plan.at_one_of(&reference.recorded));
        let played = AssertUnwindSafe(play(&self.ground, &plan, reference)).catch_unwind();
        let (struck, end) = match tokio::time::timeout(PLAN_MAX, played).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(panic)) => (false, End::Endless(message_of(&*panic))),
            Err(_) => (false, End::Endless(format!("it takes longer than {} s", PLAN_MAX.as_secs()))),
        };
        Outcome { plan, struck, end, took: began.elapsed() }
    }

    /// What the plans of a scenario are compared with; made when it is first needed.
    async fn reference(&self, scenario: usize) -> &Measured {
        let made = || async {
            match AssertUnwindSafe(measure(&self.ground, &SCENARIOS[scenario])).catch_unwind().await {
                Ok(measured) => measured.map_err(End::Divergent),
                Err(panic) => Err(End::Endless(message_of(&*panic))),
            }
        };
        self.references[scenario].get_or_init(made).await
    }

    fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    fn tell(&self, text: &str) {
        println!("{text}");
        self.raw.line(text);
    }
}
