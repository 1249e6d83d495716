//! The conditions: Accepted, ResolvedRefs, Programmed, Ready, UpstreamReachable; BrainReady of a managed brain; and
//! Reconciling, Stalled, Insecure, EvidenceLocked, Contested while they are true.

mod brain;
mod contested;
mod locked;
mod upstream;

use std::collections::BTreeSet;

use crds::{
    pod::MissingSecret,
    policy::{ConditionStatus, Reason, ReplicaCounts, SkillStatus, condition},
    shown::printable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::{Observed, replicas::Rollout, whole_seconds};
use crate::controller::{apply::refusal::Problem, pods::PodView, validate::Accepted};

/// Enough of a hash to distinguish configs, in characters.
const HASH_SHOWN: usize = 8;
/// Longest message, in characters; Kubernetes allows 32,768 bytes.
const MESSAGE_MAX: usize = 4_000;

/// Longest list of unknown fields, in characters.
const PATHS_SHOWN: usize = 1_000;

/// A condition without its type and its transition time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    status: ConditionStatus,
    reason: Reason,
    message: String,
}

impl Finding {
    fn holds(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    fn fails(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }

    fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::Unknown, reason, message: message.into() }
    }

    fn is(&self, status: ConditionStatus) -> bool {
        self.status == status
    }

    /// As an abnormal condition, which is true while this finding is not.
    fn abnormal(&self) -> Self {
        Self { status: ConditionStatus::True, ..self.clone() }
    }
}

pub(super) fn conditions(
    observed: &Observed<'_>,
    counts: ReplicaCounts,
    rollout: &Rollout,
    skills: &[SkillStatus],
) -> Vec<Condition> {
    let accepted = accepted(observed);
    let resolved = resolved_refs(observed);
    let programmed = programmed(observed, counts, rollout);
    let ready = ready([&accepted, &resolved, &programmed], observed, counts, rollout);
    let not_ready = (!ready.is(ConditionStatus::True)).then(|| ready.abnormal());
    let (stalled, reconciling) = match not_ready {
        Some(finding) if finding.reason.stalls() => (Some(finding), None),
        finding => (None, finding),
    };
    let all = [
        (condition::ACCEPTED, Some(accepted)),
        (condition::RESOLVED_REFS, Some(resolved)),
        (condition::PROGRAMMED, Some(programmed)),
        (condition::READY, Some(ready)),
        (condition::UPSTREAM_REACHABLE, Some(upstream::reachable(observed))),
        (condition::BRAIN_READY, brain::ready(observed)),
        (condition::RECONCILING, reconciling),
        (condition::STALLED, stalled),
        (condition::INSECURE, insecure(observed)),
        (condition::EVIDENCE_LOCKED, locked::locked(skills)),
        (condition::CONTESTED, contested::contested(&observed.policy.name_any(), &observed.applied.contests)),
    ];
    all.into_iter().filter_map(|(kind, finding)| Some(dated(kind, finding?, observed))).collect()
}

/// The time of a condition is when its status last changed, not when it was last computed.
fn dated(kind: &str, finding: Finding, observed: &Observed<'_>) -> Condition {
    let Finding { status, reason, message } = finding;
    let previous = observed.policy.status.iter().flat_map(|status| &status.conditions);
    let unchanged = previous.into_iter().find(|previous| previous.type_ == kind && previous.status == status.as_str());
    Condition {
        type_: kind.into(),
        status: status.as_str().into(),
        reason: reason.as_str().into(),
        message: message.chars().take(MESSAGE_MAX).collect(),
        last_transition_time: unchanged.map_or(Time(whole_seconds(observed.now)), |c| c.last_transition_time.clone()),
        observed_generation: observed.policy.metadata.generation,
    }
}

fn accepted(observed: &Observed<'_>) -> Finding {
    match observed.valid {
        Ok(valid) => Finding::holds(Reason::Accepted, valid_message(valid)),
        Err(invalid) => Finding::fails(invalid.reason, &invalid.message),
    }
}

/// With what is not an error, but worth reporting.
fn valid_message(valid: &Accepted) -> String {
    let unknown = (!valid.unknown_fields.is_empty()).then(|| unknown_message(&valid.unknown_fields));
    let all = ["the policy is valid".to_string()].into_iter().chain(unknown).chain(valid.warnings.iter().cloned());
    all.collect::<Vec<_>>().join("; ")
}

/// The CustomResourceDefinition is newer than this operator.
fn unknown_message(paths: &[String]) -> String {
    let paths = printable(&paths.join(", "), PATHS_SHOWN);
    format!("operator {} does not know these fields: {paths}", crds::VERSION)
}

fn resolved_refs(observed: &Observed<'_>) -> Finding {
    if let Some(message) = observed.valid.err().and_then(|invalid| invalid.references.as_ref()) {
        return Finding::fails(Reason::ConfigMapMissing, message);
    }
    let missing: BTreeSet<(&MissingSecret, &str)> = observed
        .pods
        .iter()
        .flat_map(|pod| pod.status().into_iter().flat_map(|s| s.missing_secrets.iter().map(|m| (m, pod.name.as_str()))))
        .collect();
    if !missing.is_empty() {
        return Finding::fails(Reason::SecretMissing, missing_message(&missing));
    }
    let refers = observed.valid.is_ok_and(|valid| valid.refers_to_secrets);
    if refers && !observed.pods.iter().any(|pod| pod.runs(observed.target)) && wants_pods(observed) {
        let message = "waiting for a pod to report whether its Secrets exist";
        return Finding::unknown(Reason::NoPodAsked, message);
    }
    Finding::holds(Reason::ResolvedRefs, "everything the policy refers to exists")
}

fn wants_pods(observed: &Observed<'_>) -> bool {
    observed.policy.spec.data_plane.replicas > 0
}

/// Each Secret key once, with one pod that lacks it.
fn missing_message(missing: &BTreeSet<(&MissingSecret, &str)>) -> String {
    let mut said = BTreeSet::new();
    let new = missing.iter().filter(|(secret, _)| said.insert((&secret.name, &secret.key)));
    let lines =
        new.map(|(MissingSecret { name, key, reason }, pod)| format!("Secret {name}, key {key}: {reason} (pod {pod})"));
    lines.collect::<Vec<_>>().join("; ")
}

/// The first finding that applies, from what someone must fix to what only takes time.
fn programmed(observed: &Observed<'_>, counts: ReplicaCounts, rollout: &Rollout) -> Finding {
    let pods = observed.pods;
    let other_config = |pod: &&PodView| pod.status().is_some() && !pod.runs(observed.target);
    if let Some(problems) = problems(&observed.applied.problems) {
        return problems;
    }
    if observed.valid.is_err() {
        return Finding::fails(Reason::NotAccepted, kept_running(observed, counts));
    }
    if let Some(refused) = pods.iter().filter(other_config).find_map(refusal) {
        return Finding::fails(Reason::ConfigRefused, refused);
    }
    if let Some(message) = &rollout.refused {
        let quota = message.contains("exceeded quota");
        return Finding::fails(if quota { Reason::QuotaExceeded } else { Reason::PodsRefused }, message);
    }
    if let Some((pod, why)) = pods.iter().filter(|pod| pod.ready).find_map(unreachable) {
        return Finding::unknown(Reason::PodUnreachable, format!("pod {pod} does not answer: {why}"));
    }
    if pods.iter().any(|pod| other_config(&pod)) {
        return Finding::fails(Reason::ConfigPending, progress("run", observed, counts));
    }
    if let Some((pod, why)) = pods.iter().find_map(|pod| Some((&pod.name, pod.waiting.as_ref()?))) {
        return Finding::fails(Reason::PodNotRunning, format!("pod {pod}: {why}"));
    }
    if counts.programmed < counts.current || counts.current < counts.desired {
        return Finding::fails(Reason::Progressing, progress("run", observed, counts));
    }
    if counts.current == 0 {
        return Finding::holds(Reason::ScaledToZero, "scaled to zero");
    }
    Finding::holds(Reason::Programmed, progress("run", observed, counts))
}

/// All problems in one message, under the reason of the first that someone must fix.
fn problems(problems: &[Problem]) -> Option<Finding> {
    let first = problems.iter().find(|problem| problem.reason.stalls()).or(problems.first())?;
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    Some(Finding::fails(first.reason, messages.join("; ")))
}

fn refusal(pod: &PodView) -> Option<String> {
    let refused = pod.status()?.refused.as_ref()?;
    Some(format!("pod {} refuses the config: {}", pod.name, refused.reason.trim()))
}

fn unreachable(pod: &PodView) -> Option<(&str, &str)> {
    Some((&pod.name, pod.unreachable()?))
}

fn short(hash: Option<&str>) -> &str {
    hash.map_or("none", |hash| hash.get(..HASH_SHOWN).unwrap_or(hash))
}

fn progress(verb: &str, observed: &Observed<'_>, counts: ReplicaCounts) -> String {
    let of = counts.desired.max(counts.current);
    format!("{} of {of} pods {verb} config {}", counts.programmed, short(observed.target))
}

fn kept_running(observed: &Observed<'_>, counts: ReplicaCounts) -> String {
    if counts.current == 0 {
        return "no pod runs this policy: it is not accepted".into();
    }
    let ReplicaCounts { programmed, current, .. } = counts;
    format!(
        "the last change is not accepted; {programmed} of {current} pods keep running config {}",
        short(observed.target)
    )
}

fn ready(chain: [&Finding; 3], observed: &Observed<'_>, counts: ReplicaCounts, rollout: &Rollout) -> Finding {
    // What someone must fix comes first, then what is False, then what is Unknown.
    let stalled = |finding: &&Finding| !finding.is(ConditionStatus::True) && finding.reason.stalls();
    let first = chain.into_iter().find(stalled);
    let first = first.or_else(|| chain.into_iter().find(|finding| finding.is(ConditionStatus::False)));
    if let Some(first) = first.or_else(|| chain.into_iter().find(|finding| finding.is(ConditionStatus::Unknown))) {
        return first.clone();
    }
    match &rollout.waiting {
        Some(message) => Finding::fails(Reason::Progressing, message),
        None if counts.desired == 0 => Finding::holds(Reason::ScaledToZero, "scaled to zero: nothing is served"),
        None => Finding::holds(Reason::Ready, progress("are serving", observed, counts)),
    }
}

fn insecure(observed: &Observed<'_>) -> Option<Finding> {
    let open = observed.policy.spec.access.tokens.is_empty();
    let message = "anyone who reaches the endpoint can call it; set spec.access.tokens";
    open.then(|| Finding::holds(Reason::NoToken, message))
}
