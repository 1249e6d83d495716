//! The conditions: Accepted, ResolvedRefs, Programmed, Ready, and the abnormal ones while they are true.

use std::collections::BTreeSet;

use crds::{
    field_error::printable,
    policy::{ReplicaCounts, RoutingPolicyStatus},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

use super::{Observed, condition, reason, replicas};
use crate::{
    controller::{ask::PodView, refusal::Problem},
    pod_status::MissingSecret,
};

/// Enough of a hash to tell configs apart, in characters.
const HASH_SHOWN: usize = 8;
/// Longest message, in characters; Kubernetes allows 32,768 bytes.
const MESSAGE_MAX: usize = 4_000;

/// Longest list of unknown fields, in characters.
const PATHS_SHOWN: usize = 1_000;

/// What a condition says, before it is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    status: &'static str,
    reason: &'static str,
    message: String,
    /// Somebody must act.
    stalled: bool,
}

impl Finding {
    fn new(status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), stalled: false }
    }

    fn stalled(reason: &'static str, message: impl Into<String>) -> Self {
        Self { stalled: true, ..Self::new("False", reason, message) }
    }
}

/// Whether a condition is there and true.
#[must_use]
pub fn is_true(status: &RoutingPolicyStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

pub(super) fn conditions(observed: &Observed<'_>, counts: ReplicaCounts) -> Vec<Condition> {
    let accepted = accepted(observed);
    let resolved = resolved_refs(observed);
    let programmed = programmed(observed, counts);
    let ready = ready([&accepted, &resolved, &programmed], observed, counts);
    let under_way = (ready.status != "True" && !ready.stalled).then(|| Finding { status: "True", ..ready.clone() });
    let stalled = ready.stalled.then(|| Finding { status: "True", ..ready.clone() });
    let all = [
        (condition::ACCEPTED, Some(accepted)),
        (condition::RESOLVED_REFS, Some(resolved)),
        (condition::PROGRAMMED, Some(programmed)),
        (condition::READY, Some(ready)),
        (condition::RECONCILING, under_way),
        (condition::STALLED, stalled),
        (condition::INSECURE, insecure(observed)),
    ];
    all.into_iter().filter_map(|(kind, finding)| Some(dated(kind, finding?, observed))).collect()
}

/// The time of a condition is when its status last changed, not when it was last looked at.
fn dated(kind: &str, finding: Finding, observed: &Observed<'_>) -> Condition {
    let Finding { status, reason, message, stalled: _ } = finding;
    let previous = observed.policy.status.iter().flat_map(|status| &status.conditions);
    let unchanged = previous.into_iter().find(|previous| previous.type_ == kind && previous.status == status);
    Condition {
        type_: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.chars().take(MESSAGE_MAX).collect(),
        last_transition_time: unchanged.map_or(Time(whole_seconds(observed.now)), |c| c.last_transition_time.clone()),
        observed_generation: observed.policy.metadata.generation,
    }
}

/// As the API server keeps it.
pub(super) fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn accepted(observed: &Observed<'_>) -> Finding {
    match observed.valid {
        Ok(valid) if valid.unknown_fields.is_empty() => Finding::new("True", reason::ACCEPTED, "the policy is valid"),
        Ok(valid) => Finding::new("True", reason::ACCEPTED, unknown_message(&valid.unknown_fields)),
        Err(invalid) => Finding::stalled(invalid.reason, &invalid.message),
    }
}

/// The CustomResourceDefinition is newer than this operator: no error, and not to be overlooked.
fn unknown_message(paths: &[String]) -> String {
    let paths = printable(&paths.join(", "), PATHS_SHOWN);
    format!("the policy is valid; operator {} does not know these fields: {paths}", crds::VERSION)
}

fn resolved_refs(observed: &Observed<'_>) -> Finding {
    if let Some(message) = observed.valid.err().and_then(|invalid| invalid.references.as_ref()) {
        return Finding::stalled(reason::CONFIG_MAP_MISSING, message);
    }
    let missing: BTreeSet<(&MissingSecret, &str)> = observed
        .pods
        .iter()
        .flat_map(|pod| pod.status().into_iter().flat_map(|s| s.missing_secrets.iter().map(|m| (m, pod.name.as_str()))))
        .collect();
    if !missing.is_empty() {
        return Finding::new("False", reason::SECRET_MISSING, missing_message(&missing));
    }
    let refers = observed.valid.is_ok_and(|valid| valid.table.secrets().next().is_some());
    if refers && !observed.pods.iter().any(|pod| pod.runs(observed.wanted)) && wants_pods(observed) {
        let message = "no pod runs the config yet, so none has said whether its Secrets are there";
        return Finding::new("Unknown", reason::NO_POD_ASKED, message);
    }
    Finding::new("True", reason::RESOLVED, "what the policy refers to is there")
}

fn wants_pods(observed: &Observed<'_>) -> bool {
    observed.policy.spec.data_plane.replicas > 0
}

/// Each Secret key once, with one pod that misses it.
fn missing_message(missing: &BTreeSet<(&MissingSecret, &str)>) -> String {
    let mut said = BTreeSet::new();
    let new = missing.iter().filter(|(secret, _)| said.insert((&secret.name, &secret.key)));
    let lines =
        new.map(|(MissingSecret { name, key, reason }, pod)| format!("Secret {name}, key {key}: {reason} (pod {pod})"));
    lines.collect::<Vec<_>>().join("; ")
}

/// The first that holds, from what somebody must mend to what only takes time.
fn programmed(observed: &Observed<'_>, counts: ReplicaCounts) -> Finding {
    let pods = observed.pods;
    let rollout = replicas::rollout(observed).unwrap_or_default();
    let other_config = |pod: &&PodView| pod.status().is_some() && !pod.runs(observed.wanted);
    if let Some(problems) = problems(&observed.applied.problems) {
        return problems;
    }
    if observed.valid.is_err() {
        return Finding::stalled(reason::NOT_ACCEPTED, kept_running(observed, counts));
    }
    if let Some(refused) = pods.iter().filter(other_config).find_map(refusal) {
        return Finding::new("False", reason::CONFIG_REFUSED, refused);
    }
    if let Some(message) = rollout.refused {
        let quota = message.contains("exceeded quota");
        return Finding::stalled(if quota { reason::QUOTA_EXCEEDED } else { reason::PODS_REFUSED }, message);
    }
    if let Some((pod, why)) = pods.iter().filter(|pod| pod.ready).find_map(unreachable) {
        return Finding::new("Unknown", reason::POD_UNREACHABLE, format!("pod {pod} cannot be asked: {why}"));
    }
    if pods.iter().any(|pod| other_config(&pod)) {
        return Finding::new("False", reason::CONFIG_PENDING, progress(observed, counts));
    }
    if let Some((pod, why)) = pods.iter().find_map(|pod| Some((&pod.name, pod.waiting.as_ref()?))) {
        return Finding::new("False", reason::POD_NOT_RUNNING, format!("pod {pod}: {why}"));
    }
    if counts.programmed < counts.current || counts.current < counts.desired {
        return Finding::new("False", reason::PROGRESSING, progress(observed, counts));
    }
    if counts.current == 0 {
        return Finding::new("True", reason::SCALED_TO_ZERO, "no pod is asked for");
    }
    Finding::new("True", reason::PROGRAMMED, progress(observed, counts))
}

/// All of them in one message, under the reason of the first that somebody must mend.
fn problems(problems: &[Problem]) -> Option<Finding> {
    let first = problems.iter().find(|problem| problem.is_stalled()).or(problems.first())?;
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    Some(Finding { stalled: first.is_stalled(), ..Finding::new("False", first.reason, messages.join("; ")) })
}

fn refusal(pod: &PodView) -> Option<String> {
    let refused = pod.status()?.refused.as_ref()?;
    Some(format!("pod {} refuses the config: {}", pod.name, refused.reason.trim()))
}

fn unreachable(pod: &PodView) -> Option<(&str, &str)> {
    let why = pod.answer.as_ref()?.as_ref().err()?;
    Some((&pod.name, why))
}

fn short(hash: Option<&str>) -> &str {
    hash.map_or("none", |hash| hash.get(..HASH_SHOWN).unwrap_or(hash))
}

fn progress(observed: &Observed<'_>, counts: ReplicaCounts) -> String {
    let of = counts.desired.max(counts.current);
    format!("{} of {of} pods run config {}", counts.programmed, short(observed.wanted))
}

fn kept_running(observed: &Observed<'_>, counts: ReplicaCounts) -> String {
    if counts.current == 0 {
        return "the policy is not accepted, so no pod was made for it".into();
    }
    let ReplicaCounts { programmed, current, .. } = counts;
    format!(
        "the last change is not accepted; {programmed} of {current} pods keep running config {}",
        short(observed.wanted)
    )
}

fn ready(chain: [&Finding; 3], observed: &Observed<'_>, counts: ReplicaCounts) -> Finding {
    // What somebody must mend comes before what is wrong, and that before what is not known yet.
    let wrong = |finding: &&Finding| finding.status == "False";
    let first = chain.into_iter().find(|finding| finding.stalled).or_else(|| chain.into_iter().find(wrong));
    if let Some(first) = first.or_else(|| chain.into_iter().find(|finding| finding.status != "True")) {
        return first.clone();
    }
    let rollout = replicas::rollout(observed);
    match rollout.unwrap_or_default().waiting {
        Some(message) => Finding::new("False", reason::PROGRESSING, message),
        None if counts.desired == 0 => {
            Finding::new("True", reason::SCALED_TO_ZERO, "no pod is asked for, nothing is served")
        }
        None => Finding::new("True", reason::READY, format!("{}, and serve", progress(observed, counts))),
    }
}

fn insecure(observed: &Observed<'_>) -> Option<Finding> {
    let open = observed.policy.spec.access.tokens.is_empty();
    let message = "whoever reaches the endpoint can call it; set spec.access.tokens";
    open.then(|| Finding::new("True", reason::NO_TOKEN, message))
}
