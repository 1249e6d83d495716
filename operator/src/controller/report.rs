//! Step 6, writes: the status if it differs, and events for what changed.

use std::time::{Duration, Instant};

use crds::{
    RoutingPolicy,
    policy::{ConditionStatus, Reason, RoutingPolicyStatus, condition},
    shown::printable,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    runtime::events::Recorder,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    backoff::doubled,
    child::Namespace,
    error::{Error, MESSAGE_MAX, RequestError},
    events,
    labels::FIELD_MANAGER,
    status::whole_seconds,
    watched::Watched,
};

/// Pass rates are written at most this often.
const SKILLS_EVERY: Duration = Duration::from_secs(60);
/// The first and the longest wait before a status that was not kept as it was sent is sent again: nothing tells when the
/// definition becomes one that keeps it.
const DROPPED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// What was last reported about a policy.
#[derive(Clone, Default, Debug)]
pub struct Reported {
    skills_at: Option<Instant>,
    unreadable: Option<String>,
    dropped: Option<Dropped>,
}

/// A status of which the API server dropped something: its CustomResourceDefinition is older than this operator.
#[derive(Clone, Debug)]
struct Dropped {
    sent: RoutingPolicyStatus,
    kept: RoutingPolicyStatus,
    times: u32,
    again_at: Instant,
}

/// A policy after its status was written.
pub struct Written {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The status as the API server kept it.
    pub status: RoutingPolicyStatus,
}

impl Reported {
    /// Whether pass rates may be written again.
    #[must_use]
    pub fn skills_are_due(&self) -> bool {
        self.skills_at.is_none_or(|at| at.elapsed() >= SKILLS_EVERY)
    }

    /// Whether this status was sent a short time ago, and kept only in part.
    fn was_just_sent(&self, previous: &RoutingPolicyStatus, status: &RoutingPolicyStatus, now: Instant) -> bool {
        let same = |dropped: &Dropped| dropped.sent == *status && dropped.kept == *previous && now < dropped.again_at;
        self.dropped.as_ref().is_some_and(same)
    }

    /// Notes what the API server kept of a status.
    fn note_kept(&mut self, sent: &RoutingPolicyStatus, kept: &RoutingPolicyStatus, now: Instant) {
        let before = self.dropped.take().filter(|dropped| dropped.sent == *sent);
        if sent == kept {
            return;
        }
        let times = before.map_or(1, |dropped| dropped.times.saturating_add(1));
        let again_at = now + doubled(DROPPED.0, times, DROPPED.1);
        self.dropped = Some(Dropped { sent: sent.clone(), kept: kept.clone(), times, again_at });
    }
}

impl Written {
    /// Reads the API server's answer. A status that cannot be read counts as kept: an empty one in its place would publish
    /// every event again.
    fn parse(answer: &str, sent: &RoutingPolicyStatus) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Kept {
            status: RoutingPolicyStatus,
        }
        let policy: Watched<RoutingPolicy> = serde_json::from_str(answer)?;
        let status = serde_json::from_str::<Kept>(answer).map_or_else(|_| sent.clone(), |kept| kept.status);
        Ok(Self { metadata: policy.meta().clone(), status })
    }
}

/// Writes the status if it differs from the last one, which is what the policy has, then publishes events. In this order,
/// because a lost event is better than one for every failed write. Returns what the policy is since; none: nothing was to
/// be written, or the policy was deleted meanwhile.
///
/// # Errors
/// The API server did not accept the status.
pub async fn report(
    namespace: &Namespace,
    recorder: &Recorder,
    policy: &RoutingPolicy,
    status: &RoutingPolicyStatus,
    reported: &mut Reported,
) -> Result<Option<Written>, Error> {
    let previous = policy.status.clone().unwrap_or_default();
    if previous == *status || reported.was_just_sent(&previous, status, Instant::now()) {
        return Ok(None);
    }
    let answer = write(namespace, &policy.name_any(), json!(status)).await?;
    let written = answer.map(|answer| Written::parse(&answer, status)).transpose();
    let written = written.map_err(|error| failed(kube::Error::SerdeError(error)))?;
    if let Some(written) = &written {
        reported.note_kept(status, &written.status, Instant::now());
    }
    if previous.skills != status.skills {
        reported.skills_at = Some(Instant::now());
    }
    publish(recorder, policy, &previous, status).await;
    tracing::info!(namespace = %namespace.name, name = %policy.name_any(), ready = %summary(status), "status written");
    Ok(written)
}

async fn publish(
    recorder: &Recorder,
    policy: &RoutingPolicy,
    previous: &RoutingPolicyStatus,
    status: &RoutingPolicyStatus,
) {
    let of = policy.object_ref(&());
    for event in events::transitions(&of, previous, status) {
        if let Err(error) = recorder.publish(&event, &of).await {
            tracing::warn!(name = %policy.name_any(), reason = %event.reason, %error, "cannot publish an event");
        }
    }
}

fn summary(status: &RoutingPolicyStatus) -> String {
    let ready = status.condition(condition::READY);
    ready.map(|ready| format!("{} {}", ready.status, ready.reason)).unwrap_or_default()
}

/// Reports what is wrong with a policy that cannot be decoded. Once per problem: each write would have another time.
///
/// # Errors
/// The API server did not accept the status.
pub async fn report_unreadable(
    namespace: &Namespace,
    policy: &ObjectMeta,
    why: &str,
    reported: &mut Reported,
) -> Result<(), Error> {
    let generation = policy.generation;
    let problem = format!("{generation:?} {why}");
    if reported.unreadable.as_ref() == Some(&problem) {
        return Ok(());
    }
    let condition = |(kind, status): (&str, ConditionStatus)| Condition {
        type_: kind.into(),
        status: status.as_str().into(),
        reason: Reason::Invalid.as_str().into(),
        message: format!("cannot be read: {}", without_values(why)),
        last_transition_time: Time(whole_seconds(Timestamp::now())),
        observed_generation: generation,
    };
    let conditions = [
        (condition::ACCEPTED, ConditionStatus::False),
        (condition::READY, ConditionStatus::False),
        (condition::STALLED, ConditionStatus::True),
    ];
    let name = policy.name.clone().unwrap_or_default();
    let status = json!({"observedGeneration": generation, "conditions": conditions.map(condition)});
    write(namespace, &name, status).await?;
    reported.unreadable = Some(problem);
    Ok(())
}

/// The parser's message without the values that it quotes: they may be prompts.
fn without_values(error: &str) -> String {
    let parts: Vec<&str> = error.split('"').collect();
    let shown = parts.iter().enumerate().map(|(i, part)| if i % 2 == 0 { *part } else { "…" });
    printable(&shown.collect::<Vec<_>>().join("\""), MESSAGE_MAX)
}

/// Writes the status as a whole, whoever wrote to it before: a server-side apply would keep what another manager set, and
/// fail forever where the two together are invalid. Returns the API server's answer; none: the policy was deleted meanwhile.
async fn write(namespace: &Namespace, name: &str, status: Value) -> Result<Option<String>, Error> {
    let operation = json!([{"op": "add", "path": "/status", "value": status}]);
    let replace = Patch::Json::<()>(serde_json::from_value(operation).expect("an operation of RFC 6902's form"));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    namespace.patch_policy_status(name, &parameters, &replace).await.map_err(failed)
}

fn failed(error: kube::Error) -> Error {
    Error::Report(RequestError::new("writing the status")(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(more: Value) -> RoutingPolicyStatus {
        let mut status = json!({"observedGeneration": 1, "selector": "a=b"});
        more.as_object().into_iter().flatten().for_each(|(name, value)| status[name] = value.clone());
        serde_json::from_value(status).expect("a status")
    }

    fn whole() -> RoutingPolicyStatus {
        status(json!({"endpoint": {"service": "edge.house.svc:3210"}}))
    }

    #[test]
    fn what_is_remembered_is_the_status_that_the_api_server_kept() {
        let (whole, pruned) = (whole(), status(json!({})));
        let answer = |status: Value| json!({"metadata": {"resourceVersion": "8"}, "status": status}).to_string();
        for (answered, remembered) in [
            (json!(whole), &whole),
            (json!(pruned), &pruned),
            (json!({"conditions": 5}), &whole),
            (Value::Null, &whole),
        ] {
            let written = Written::parse(&answer(answered.clone()), &whole).expect("an answer");
            assert_eq!(written.status, *remembered, "{answered}");
            assert_eq!(written.metadata.resource_version.as_deref(), Some("8"));
        }
        assert!(Written::parse("{", &whole).is_err());
    }

    #[test]
    fn a_status_that_was_kept_in_part_is_sent_again_less_and_less_often_until_it_is_kept() {
        let (whole, pruned, start) = (whole(), status(json!({})), Instant::now());
        let (at, mut reported) = (|second| start + Duration::from_secs(second), Reported::default());
        assert!(!reported.was_just_sent(&pruned, &whole, start));
        for (second, again) in [(0, 5), (5, 15), (15, 35)] {
            reported.note_kept(&whole, &pruned, at(second));
            assert!(reported.was_just_sent(&pruned, &whole, at(again - 1)), "{second}");
            assert!(!reported.was_just_sent(&pruned, &whole, at(again)), "{second}");
        }
        reported.note_kept(&whole, &pruned, start);
        let other = status(json!({"configHash": "new"}));
        assert!(!reported.was_just_sent(&pruned, &other, start), "a status that changed is sent at once");
        assert!(!reported.was_just_sent(&other, &whole, start), "somebody else changed the status");
        reported.note_kept(&whole, &whole, start);
        assert!(!reported.was_just_sent(&pruned, &whole, start));
    }
}
