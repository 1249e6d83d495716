//! Tells pods that their files changed: an annotation makes the kubelet look at once, which it else does once a minute.
//!
//! The pod's update can reach the kubelet before the ConfigMap's does. So a pod that still runs another config is told
//! again, less and less often, with a new value each time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crds::RoutingPolicy;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Context, Error, FIELD_MANAGER, ask::PodView, child::Namespace, memory::Memory};

/// Annotation of a pod: the config that it is to run, and how often it was told.
pub const CONFIG: &str = "routing.hyperguild.io/config";
/// Annotation of a policy, copied onto its pods: whoever cannot wait for a changed Secret sets it to anything new.
pub const REQUESTED_AT: &str = "routing.hyperguild.io/requestedAt";
/// The waits between being told: 3 s, 6 s, 12 s, … 60 s.
const FIRST: Duration = Duration::from_secs(3);
const MOST: Duration = Duration::from_secs(60);
/// Enough of a hash to tell configs apart, in characters.
const HASH_SHOWN: usize = 16;
/// What is believed of a number that a pod carries.
const TIMES_MAX: u32 = 1_000_000;
/// Longest `requestedAt` that is copied, in characters.
const REQUESTED_AT_MAX: usize = 64;

/// A pod that was told of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poked {
    hash: String,
    times: u32,
    again_at: Instant,
}

/// Tells the pods that need it.
pub async fn poke(
    context: &Context,
    namespace: &Namespace,
    policy: &RoutingPolicy,
    wanted: Option<&str>,
    pods: &[PodView],
    memory: &mut Memory,
) {
    memory.pokes.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
    let requested = policy.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REQUESTED_AT));
    for pod in pods {
        let mut annotations = BTreeMap::new();
        let told = wanted.and_then(|hash| due(pod, hash, memory.pokes.get(&pod.uid), Instant::now()));
        if let Some(told) = &told {
            let short = told.hash.get(..HASH_SHOWN).unwrap_or(&told.hash);
            annotations.insert(CONFIG, format!("{short}-{}", told.times));
        }
        if let Some(value) = requested.and_then(|requested| newly_requested(pod, requested)) {
            annotations.insert(REQUESTED_AT, value);
        }
        if annotations.is_empty() {
            continue;
        }
        // A pod that cannot be told must not keep the rest from being reported.
        match annotate(namespace, pod, &annotations).await {
            Ok(()) => context.metrics.poked(),
            Err(error) => tracing::warn!(namespace = %namespace.name, %error, "a pod is not told of its config"),
        }
        memory.pokes.extend(told.map(|told| (pod.uid.clone(), told)));
    }
}

/// Whether a pod that answers and runs another config is to be told now.
fn due(pod: &PodView, hash: &str, last: Option<&Poked>, now: Instant) -> Option<Poked> {
    if pod.status().is_none_or(|status| status.config_hash == hash) {
        return None;
    }
    let times = match last.filter(|last| last.hash == hash) {
        Some(last) if now < last.again_at => return None,
        Some(last) => last.times + 1,
        // Told by an operator before this one: the value must be a new one.
        None => told_before(pod, hash) + 1,
    };
    let wait = FIRST.saturating_mul(1 << (times - 1).min(8)).min(MOST);
    Some(Poked { hash: hash.into(), times, again_at: now + wait })
}

fn told_before(pod: &PodView, hash: &str) -> u32 {
    let told = pod.annotations.get(CONFIG).and_then(|value| value.rsplit_once('-'));
    let same = told.filter(|(short, _)| !short.is_empty() && hash.starts_with(short));
    same.and_then(|(_, times)| times.parse().ok()).unwrap_or(0).min(TIMES_MAX)
}

fn newly_requested(pod: &PodView, requested: &str) -> Option<String> {
    let value: String = requested.chars().take(REQUESTED_AT_MAX).collect();
    (pod.answer.is_some() && pod.annotations.get(REQUESTED_AT) != Some(&value)).then_some(value)
}

async fn annotate(namespace: &Namespace, pod: &PodView, annotations: &BTreeMap<&str, String>) -> Result<(), Error> {
    let patch = Patch::Merge(json!({"metadata": {"uid": pod.uid, "annotations": annotations}}));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match namespace.pods().patch(&pod.name, &parameters, &patch).await {
        Ok(_) => Ok(()),
        // Gone, or another one by now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => Ok(()),
        Err(error) => Err(Error::api(format!("annotating pod {}", pod.name))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod_status::PodStatus;

    fn pod(hash: &str) -> PodView {
        let status = PodStatus { config_hash: hash.into(), ..PodStatus::default() };
        PodView { answer: Some(Ok(status)), ..PodView::default() }
    }

    #[test]
    fn a_pod_is_told_at_once_and_then_after_3_6_12_up_to_60_seconds() {
        let start = Instant::now();
        let (mut last, mut told_at) = (None, vec![]);
        for second in 0..200 {
            if let Some(told) = due(&pod("old"), "new", last.as_ref(), start + Duration::from_secs(second)) {
                told_at.push(second);
                last = Some(told);
            }
        }
        assert_eq!(told_at, [0, 3, 9, 21, 45, 93, 153]);
    }

    #[test]
    fn a_pod_that_runs_the_config_or_does_not_answer_is_left_alone() {
        let now = Instant::now();
        assert_eq!(due(&pod("new"), "new", None, now), None);
        assert_eq!(due(&PodView { answer: Some(Err("refused".into())), ..PodView::default() }, "new", None, now), None);
        assert_eq!(due(&PodView::default(), "new", None, now), None);
    }

    #[test]
    fn another_config_starts_anew() {
        let now = Instant::now();
        let first = due(&pod("old"), "new", None, now);
        assert_eq!(first.as_ref().map(|told| told.times), Some(1));
        assert_eq!(due(&pod("old"), "newer", first.as_ref(), now).map(|told| told.times), Some(1));
    }

    #[test]
    fn after_a_restart_of_the_operator_the_value_is_a_new_one() {
        let annotations = [(CONFIG.to_string(), "new-4".to_string())].into();
        let told = PodView { annotations, ..pod("old") };
        assert_eq!(due(&told, "new", None, Instant::now()).map(|told| told.times), Some(5));
        assert_eq!(due(&told, "other", None, Instant::now()).map(|told| told.times), Some(1));
    }

    #[test]
    fn a_request_reaches_each_pod_once() {
        assert_eq!(newly_requested(&pod("x"), "now").as_deref(), Some("now"));
        let told = PodView { annotations: [(REQUESTED_AT.to_string(), "now".to_string())].into(), ..pod("x") };
        assert_eq!(newly_requested(&told, "now"), None);
    }
}
