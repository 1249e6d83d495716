//! Nudges pods whose files changed: an annotation makes the kubelet refresh them at once instead of about once a
//! minute.
//!
//! The pod's update can reach the kubelet before the ConfigMap's does. So a pod that still runs another config is
//! nudged again, less and less often, with a new value each time. So is a pod that lacks a Secret: the operator has no
//! rights for Secrets, so it cannot see when the missing one is created.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crds::RoutingPolicy;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{
    backoff::doubled,
    child::Namespace,
    error::RequestError,
    labels::FIELD_MANAGER,
    pods::{PodReport, PodView},
};

/// Annotation of a pod: `<start of a hash>-<count>`, the config that it should run and how often it was nudged for it.
pub const CONFIG: &str = "routing.hyperguild.io/config";
/// Annotation of a policy, copied to its pods: any new value makes a changed Secret take effect at once.
pub const REQUESTED_AT: &str = "routing.hyperguild.io/requestedAt";
/// The waits between nudges: 3 s, 6 s, 12 s, … 60 s for a config, … 30 s for a Secret.
const FIRST: Duration = Duration::from_secs(3);
const MAX: Duration = Duration::from_secs(60);
const SECRET_MAX: Duration = Duration::from_secs(30);
/// Enough of a hash to distinguish configs, in characters.
const HASH_SHOWN: usize = 16;
/// Largest count that is accepted from a pod's annotation.
const TIMES_MAX: u32 = 1_000_000;
/// Longest `requestedAt` that is copied, in characters.
const REQUESTED_AT_MAX: usize = 64;

/// The last nudge of each pod, by pod UID.
#[derive(Clone, Default, Debug)]
pub struct Nudges(BTreeMap<String, Nudge>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Nudge {
    hash: String,
    times: u32,
    again_at: Instant,
}

/// Nudges the pods that need it; returns how many were annotated.
pub async fn nudge(
    namespace: &Namespace,
    policy: &RoutingPolicy,
    target: Option<&str>,
    pods: &[PodView],
    Nudges(nudges): &mut Nudges,
) -> u64 {
    nudges.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
    let requested = policy.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REQUESTED_AT));
    let mut nudged = 0;
    for pod in pods {
        let due = target.and_then(|hash| due(pod, hash, nudges.get(&pod.uid), Instant::now()));
        let annotations = annotations(pod, due.as_ref(), requested.map(String::as_str));
        if annotations.is_empty() {
            continue;
        }
        // One pod's failure must not keep the rest from being reported.
        match annotate(namespace, pod, &annotations).await {
            Ok(()) => nudged += 1,
            Err(error) => tracing::warn!(namespace = %namespace.name, %error, "cannot notify a pod of its config"),
        }
        nudges.extend(due.map(|nudge| (pod.uid.clone(), nudge)));
    }
    nudged
}

fn annotations(pod: &PodView, due: Option<&Nudge>, requested: Option<&str>) -> BTreeMap<&'static str, String> {
    let config =
        due.map(|Nudge { hash, times, .. }| (CONFIG, format!("{}-{times}", hash.get(..HASH_SHOWN).unwrap_or(hash))));
    let requested = requested.and_then(|requested| Some((REQUESTED_AT, newly_requested(pod, requested)?)));
    config.into_iter().chain(requested).collect()
}

/// The nudge that a pod needs now, if it answers and runs another config or lacks a Secret.
fn due(pod: &PodView, hash: &str, last: Option<&Nudge>, now: Instant) -> Option<Nudge> {
    let status = pod.status()?;
    let lacks_a_secret = !status.missing_secrets.is_empty() || !status.awaited_secrets.is_empty();
    if status.config_hash == hash && !lacks_a_secret {
        return None;
    }
    let max = if lacks_a_secret { SECRET_MAX } else { MAX };
    let times = match last.filter(|last| last.hash == hash) {
        Some(last) if now < last.again_at => return None,
        Some(last) => last.times + 1,
        // An earlier operator process may have nudged it, and the value must be new.
        None => nudged_before(pod, hash) + 1,
    };
    Some(Nudge { hash: hash.into(), times, again_at: now + doubled(FIRST, times, max) })
}

fn nudged_before(pod: &PodView, hash: &str) -> u32 {
    let nudged = pod.annotations.get(CONFIG).and_then(|value| value.rsplit_once('-'));
    let same = nudged.filter(|(short, _)| !short.is_empty() && hash.starts_with(short));
    same.and_then(|(_, times)| times.parse().ok()).unwrap_or(0).min(TIMES_MAX)
}

fn newly_requested(pod: &PodView, requested: &str) -> Option<String> {
    let value: String = requested.chars().take(REQUESTED_AT_MAX).collect();
    (!matches!(pod.report, PodReport::NotRunning) && pod.annotations.get(REQUESTED_AT) != Some(&value)).then_some(value)
}

async fn annotate(
    namespace: &Namespace,
    pod: &PodView,
    annotations: &BTreeMap<&str, String>,
) -> Result<(), RequestError> {
    let patch = Patch::Merge(json!({"metadata": {"uid": pod.uid, "annotations": annotations}}));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match namespace.pods().patch(&pod.name, &parameters, &patch).await {
        Ok(_) => Ok(()),
        // Deleted or recreated meanwhile.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => Ok(()),
        Err(error) => Err(RequestError::new(format!("annotating pod {}", pod.name))(error)),
    }
}

#[cfg(test)]
mod tests {
    use crds::pod::{MissingSecret, PodStatus};

    use super::*;

    fn pod(hash: &str) -> PodView {
        let status = PodStatus { config_hash: hash.into(), ..PodStatus::default() };
        PodView { report: PodReport::Says(Box::new(status)), ..PodView::default() }
    }

    #[test]
    fn a_pod_is_nudged_at_once_and_then_after_3_6_12_up_to_60_seconds() {
        assert_eq!(nudged_at(&pod("old")), [0, 3, 9, 21, 45, 93, 153]);
    }

    #[test]
    fn a_pod_that_lacks_a_secret_is_nudged_up_to_every_30_seconds() {
        let lacking = |hash: &str, missing: bool| {
            let (some, none) = (vec![MissingSecret::default()], vec![]);
            let (missing_secrets, awaited_secrets) = if missing { (some, none) } else { (none, some) };
            let status =
                PodStatus { config_hash: hash.into(), missing_secrets, awaited_secrets, ..PodStatus::default() };
            PodView { report: PodReport::Says(Box::new(status)), ..PodView::default() }
        };
        for pod in [lacking("new", true), lacking("old", false)] {
            assert_eq!(nudged_at(&pod), [0, 3, 9, 21, 45, 75, 105, 135, 165, 195]);
        }
    }

    /// The seconds at which a pod that stays as it is is nudged.
    fn nudged_at(pod: &PodView) -> Vec<u64> {
        let start = Instant::now();
        let (mut last, mut seconds) = (None, vec![]);
        for second in 0..200 {
            if let Some(nudge) = due(pod, "new", last.as_ref(), start + Duration::from_secs(second)) {
                seconds.push(second);
                last = Some(nudge);
            }
        }
        seconds
    }

    #[test]
    fn a_pod_that_runs_the_config_or_does_not_answer_is_not_nudged() {
        let now = Instant::now();
        assert_eq!(due(&pod("new"), "new", None, now), None);
        let unreachable = PodView { report: PodReport::Unreachable("refused".into()), ..PodView::default() };
        assert_eq!(due(&unreachable, "new", None, now), None);
        assert_eq!(due(&PodView::default(), "new", None, now), None);
    }

    #[test]
    fn another_config_starts_over() {
        let now = Instant::now();
        let first = due(&pod("old"), "new", None, now);
        assert_eq!(first.as_ref().map(|nudge| nudge.times), Some(1));
        assert_eq!(due(&pod("old"), "newer", first.as_ref(), now).map(|nudge| nudge.times), Some(1));
    }

    #[test]
    fn after_a_restart_of_the_operator_the_value_is_new() {
        let annotations = [(CONFIG.to_string(), "new-4".to_string())].into();
        let nudge = PodView { annotations, ..pod("old") };
        assert_eq!(due(&nudge, "new", None, Instant::now()).map(|nudge| nudge.times), Some(5));
        assert_eq!(due(&nudge, "other", None, Instant::now()).map(|nudge| nudge.times), Some(1));
    }

    #[test]
    fn a_request_reaches_each_pod_once() {
        assert_eq!(newly_requested(&pod("x"), "now").as_deref(), Some("now"));
        let nudge = PodView { annotations: [(REQUESTED_AT.to_string(), "now".to_string())].into(), ..pod("x") };
        assert_eq!(newly_requested(&nudge, "now"), None);
    }
}
