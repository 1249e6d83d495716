//! Events: one when it turns ready or ceases to be, or for another reason than before, and one when it opens to all.

use crds::policy::RoutingPolicyStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use super::status::condition;

/// Longest note, in bytes (Kubernetes' limit is 1,024).
const NOTE_MAX: usize = 1_000;
/// What the operator did when it found out.
const ACTION: &str = "Reconcile";

/// What changed between two statuses, as events.
#[must_use]
pub fn transitions(previous: &RoutingPolicyStatus, status: &RoutingPolicyStatus) -> Vec<Event> {
    let changed = |kind: &str| {
        let new = find(status, kind)?;
        let same = find(previous, kind).is_some_and(|old| old.status == new.status && old.reason == new.reason);
        (!same).then(|| event(new, kind))
    };
    [condition::READY, condition::INSECURE].into_iter().filter_map(changed).collect()
}

fn find<'a>(status: &'a RoutingPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

fn event(new: &Condition, kind: &str) -> Event {
    let is_fine = kind == condition::READY && new.status == "True";
    let takes_time = kind == condition::READY && TAKES_TIME.contains(&new.reason.as_str());
    let mut note = new.message.clone();
    note.truncate(note.floor_char_boundary(NOTE_MAX));
    Event {
        type_: if is_fine || takes_time { EventType::Normal } else { EventType::Warning },
        reason: new.reason.clone(),
        note: Some(note),
        action: ACTION.into(),
        secondary: None,
    }
}

use super::status::reason;

/// Reasons that pass by themselves.
const TAKES_TIME: [&str; 4] =
    [reason::PROGRESSING, reason::CONFIG_PENDING, reason::NO_POD_ASKED, reason::PREVIOUS_POLICY];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> RoutingPolicyStatus {
        let all: Vec<_> = conditions.iter().map(|(kind, status, reason)| json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"})).collect();
        serde_json::from_value(json!({"conditions": all})).expect("a status")
    }

    #[test]
    fn only_transitions_are_told() {
        let before = status(&[("Ready", "False", "Progressing"), ("Accepted", "True", "Accepted")]);
        assert!(transitions(&before, &before).is_empty());
        let ready = status(&[("Ready", "True", "Ready"), ("Accepted", "True", "Other")]);
        let told: Vec<_> = transitions(&before, &ready).into_iter().map(|e| (e.type_, e.reason)).collect();
        assert_eq!(told, [(EventType::Normal, "Ready".to_string())]);
        let refused = status(&[("Ready", "False", "Invalid"), ("Insecure", "True", "NoToken")]);
        let told: Vec<_> = transitions(&ready, &refused).into_iter().map(|e| (e.type_, e.reason)).collect();
        assert_eq!(told, [(EventType::Warning, "Invalid".to_string()), (EventType::Warning, "NoToken".to_string())]);
    }
}
