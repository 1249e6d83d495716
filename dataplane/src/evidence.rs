//! Pass rates, cached per skill. One request per skill and TTL, however many calls wait; busy skills are refreshed
//! ahead, so that only calls of a cold one wait, and for at most the brain client's one second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::table::EvidenceRules;
use endpoint::trace::TraceContext;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::{
    brain_client::{BrainClient, BrainError, RateQuery},
    decide::Measured,
    metrics::Metrics,
};

/// Part of the TTL after which a call still uses the cached value but starts a refresh in the background.
const REFRESH_AHEAD: f64 = 0.8;

/// Time between requests to a brain that failed, while there is a value to serve.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Fetch = Shared<BoxFuture<'static, Result<Measured, BrainError>>>;

/// What is known about a skill at the time of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SkillEvidence {
    /// Empty if the brain did not answer and no earlier value may be used.
    pub measured: Measured,
    /// How long ago the brain reported it; none: it did not.
    pub age: Option<Duration>,
}

/// The pass rates of one brain.
pub struct EvidenceCache {
    brain: Arc<BrainClient>,
    rules: EvidenceRules,
    query: RateQuery,
    metrics: Arc<Metrics>,
    skills: Mutex<HashMap<String, Slot>>,
}

#[derive(Default)]
struct Slot {
    known: Option<(Measured, Instant)>,
    /// When the last request failed, if it did: a held value is then served at once while the next request runs.
    failed: Option<Instant>,
    fetch: Option<Fetch>,
}

/// How a call gets its evidence.
#[derive(Debug, PartialEq)]
enum Plan {
    /// Use the cached value.
    Serve,
    /// Use the cached value, and query the brain in the background.
    ServeAndRefresh,
    /// Wait for the brain.
    Wait,
}

impl EvidenceCache {
    /// An empty cache, for rates that are asked for by `query`.
    pub fn new(brain: Arc<BrainClient>, rules: EvidenceRules, query: RateQuery, metrics: Arc<Metrics>) -> Self {
        Self { brain, rules, query, metrics, skills: Mutex::default() }
    }

    /// Whether it holds the rates that this query asks of this brain: not after the local model was renamed.
    pub fn answers(&self, brain: &Arc<BrainClient>, rules: &EvidenceRules, query: &RateQuery) -> bool {
        Arc::ptr_eq(&self.brain, brain) && self.rules == *rules && self.query == *query
    }

    /// What is known about a skill. Waits for the brain only if there is no cached value to use. A request to the brain
    /// that begins here is part of this trace.
    pub async fn of(self: &Arc<Self>, skill: &str, within: Option<TraceContext>) -> SkillEvidence {
        let now = Instant::now();
        let (plan, known, fetch) = self.plan(skill, now, within);
        match (plan, fetch) {
            (Plan::Wait, Some(fetch)) => match fetch.await {
                Ok(measured) => SkillEvidence { measured, age: Some(Duration::ZERO) },
                Err(_) => self.held(known, Instant::now()),
            },
            // As the plan was made: a value that it found fresh is served even if it expires at this moment.
            _ => self.held(known, now),
        }
    }

    /// What is known about a skill, for `/status`: a brain that failed within the last TTL is not queried again.
    pub async fn for_status(self: &Arc<Self>, skill: &str) -> SkillEvidence {
        let slot = self.lock().get(skill).map(|slot| (slot.known, slot.failed));
        match slot {
            Some((known, Some(failed))) if failed.elapsed() < self.rules.ttl => self.held(known, Instant::now()),
            _ => self.of(skill, None).await,
        }
    }

    /// What the brain said of a skill last, however long ago; the brain is not queried.
    pub fn last_known(&self, skill: &str) -> Option<Measured> {
        self.lock().get(skill).and_then(|slot| slot.known).map(|(measured, _)| measured)
    }

    fn plan(
        self: &Arc<Self>,
        skill: &str,
        now: Instant,
        within: Option<TraceContext>,
    ) -> (Plan, Option<(Measured, Instant)>, Option<Fetch>) {
        let mut skills = self.lock();
        let slot = skills.entry(skill.to_string()).or_default();
        let plan = plan(
            slot.known.map(|(_, at)| now.duration_since(at)),
            slot.failed.map(|at| now.duration_since(at)),
            &self.rules,
        );
        let fetch = (plan != Plan::Serve).then(|| slot.fetch.get_or_insert_with(|| self.fetch(skill, within)).clone());
        (plan, slot.known, fetch)
    }

    fn fetch(self: &Arc<Self>, skill: &str, within: Option<TraceContext>) -> Fetch {
        let (cache, skill) = (Arc::clone(self), skill.to_string());
        // A task of its own: a caller that disconnects must not leave the others with a request that nobody polls.
        let request = tokio::spawn(async move {
            let result = cache.brain.pass_rate(&skill, &cache.query, within.as_ref()).await;
            cache.note(&skill, &result);
            result
        });
        request.map(|ended| ended.unwrap_or(Err(BrainError::Unreachable))).boxed().shared()
    }

    fn note(&self, skill: &str, result: &Result<Measured, BrainError>) {
        let mut skills = self.lock();
        let slot = skills.entry(skill.to_string()).or_default();
        slot.fetch = None;
        slot.failed = result.is_err().then(Instant::now);
        match result {
            Ok(measured) => slot.known = Some((*measured, Instant::now())),
            Err(error) => {
                self.metrics.pass_rate_errors(error.kind());
                tracing::warn!(skill, %error, "the brain gave no pass rate");
            }
        }
    }

    /// The known value if it is still fresh or may be held at this time; otherwise nothing.
    fn held(&self, known: Option<(Measured, Instant)>, now: Instant) -> SkillEvidence {
        let known = known.map(|(measured, at)| (measured, now.duration_since(at)));
        match known.filter(|(_, age)| *age < self.rules.ttl || *age <= self.rules.hold_for) {
            Some((measured, age)) => SkillEvidence { measured, age: Some(age) },
            None => SkillEvidence::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Slot>> {
        // Every update of a slot is complete, so a panic elsewhere leaves nothing half done.
        self.skills.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `failed`: how long ago the last request failed, if it did.
fn plan(age: Option<Duration>, failed: Option<Duration>, rules: &EvidenceRules) -> Plan {
    match age {
        Some(age) if age < rules.ttl.mul_f64(REFRESH_AHEAD) => Plan::Serve,
        Some(age) if age < rules.ttl || (failed.is_some() && age <= rules.hold_for) => {
            // There is a value to serve, so a brain that is down is not queried for every call.
            if failed.is_some_and(|ago| ago < RETRY_AFTER) { Plan::Serve } else { Plan::ServeAndRefresh }
        }
        _ => Plan::Wait,
    }
}

#[cfg(test)]
mod tests {
    use crds::policy::{EvidenceOf, OnExpired};

    use super::*;

    #[test]
    fn only_a_cold_skill_waits() {
        let seconds = Duration::from_secs;
        let rules = |hold_for| EvidenceRules {
            of: EvidenceOf::Skill,
            sources: vec![],
            window: "7d".into(),
            ttl: seconds(60),
            min_samples: 1,
            on_expired: OnExpired::Forget,
            hold_for,
        };
        let holding = rules(seconds(3600));
        let (long_ago, just_now) = (Some(seconds(2)), Some(seconds(0)));
        for (age, failed, expected) in [
            (None, None, Plan::Wait),
            (None, just_now, Plan::Wait),
            (Some(seconds(0)), None, Plan::Serve),
            (Some(seconds(47)), None, Plan::Serve),
            (Some(seconds(48)), None, Plan::ServeAndRefresh),
            (Some(seconds(59)), long_ago, Plan::ServeAndRefresh),
            (Some(seconds(59)), just_now, Plan::Serve),
            (Some(seconds(60)), None, Plan::Wait),
            (Some(seconds(3600)), long_ago, Plan::ServeAndRefresh),
            (Some(seconds(3600)), just_now, Plan::Serve),
            (Some(seconds(3601)), long_ago, Plan::Wait),
        ] {
            assert_eq!(plan(age, failed, &holding), expected, "{age:?} {failed:?}");
        }
        assert_eq!(plan(Some(seconds(61)), long_ago, &rules(Duration::ZERO)), Plan::Wait, "nothing is held");
    }
}
