//! Whether the CustomResourceDefinition of policies is installed: without it, nothing can be watched.

use std::time::{Duration, Instant};

use kube::{Api, api::ListParams};

use crate::{
    admin::Readiness,
    controller::{PolicyMeta, backoff::doubled},
};

/// Wait between checks whether the CRD is installed.
const RETRY: Duration = Duration::from_secs(2);
/// The first and the longest wait before it is logged again that it is not.
const LOG: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// Why the operator is not ready without the CRD, and what to do.
const MISSING: &str = "the CustomResourceDefinition routingpolicies.routing.hyperguild.io is not installed: kubectl apply \
                      -k crds; policies that were deleted with it must be applied again";

/// Returns once policies can be listed; `absence` may have begun before.
pub async fn wait_for(policies: Api<PolicyMeta>, mut absence: Absence, readiness: &Readiness) {
    while let Err(error) = policies.list(&ListParams::default().limit(1)).await {
        let why =
            if is_missing(&error) { MISSING.into() } else { format!("RoutingPolicies cannot be listed: {error}") };
        absence.report(why, readiness);
        tokio::time::sleep(RETRY).await;
    }
}

/// Why nothing is watched, how often that was logged, and when it is logged again: it can take days.
#[derive(Default)]
pub struct Absence(Option<(String, u32, Instant)>);

impl Absence {
    /// Reports that the definition was deleted, and returns after a pause: whatever is missing is not asked for in a loop.
    pub async fn begin(&mut self, readiness: &Readiness) {
        self.report(MISSING.into(), readiness);
        tokio::time::sleep(RETRY).await;
    }

    fn report(&mut self, why: String, readiness: &Readiness) {
        let now = Instant::now();
        let times = match &self.0 {
            Some((last, times, again_at)) if *last == why => (now >= *again_at).then_some(times + 1),
            _ => Some(1),
        };
        if let Some(times) = times {
            tracing::warn!(%why, "not watching");
            self.0 = Some((why.clone(), times, now + doubled(LOG.0, times, LOG.1)));
        }
        readiness.not_ready(why);
    }
}

/// Whether a list or a watch failed because there is no such kind.
pub fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_logged_again_after_a_wait_that_doubles_and_at_once_when_its_reason_changes() {
        let (readiness, mut absence) = (Readiness::default(), Absence::default());
        let times = |absence: &Absence| absence.0.as_ref().map(|(_, times, _)| *times);
        absence.report("a".into(), &readiness);
        absence.report("a".into(), &readiness);
        assert_eq!(times(&absence), Some(1), "not within 30 s");
        let passed = |(why, times, _): (String, u32, Instant)| (why, times, Instant::now());
        absence.0 = absence.0.take().map(passed);
        absence.report("a".into(), &readiness);
        assert_eq!(times(&absence), Some(2));
        absence.report("b".into(), &readiness);
        assert_eq!(times(&absence), Some(1));
    }
}
