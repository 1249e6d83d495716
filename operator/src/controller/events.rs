//! Events: one when `Ready` changes its status or reason, and one when the policy becomes `Insecure`.

use crds::policy::{Reason, RoutingPolicyStatus, condition, reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

/// Longest note, in bytes (Kubernetes' limit is 1,024).
const NOTE_MAX: usize = 1_000;
/// The `action` of every event: what the operator was doing.
const ACTION: &str = "Reconcile";

/// What changed between two statuses, as events.
#[must_use]
pub fn transitions(previous: &RoutingPolicyStatus, status: &RoutingPolicyStatus) -> Vec<Event> {
    let changed = |kind: &str| {
        let new = status.condition(kind)?;
        let same = previous.condition(kind).is_some_and(|old| old.status == new.status && old.reason == new.reason);
        (!same).then(|| event(new))
    };
    [condition::READY, condition::INSECURE].into_iter().filter_map(changed).collect()
}

fn event(new: &Condition) -> Event {
    let mut note = new.message.clone();
    note.truncate(note.floor_char_boundary(NOTE_MAX));
    Event {
        type_: match new.reason.parse().map(Reason::event_type) {
            Ok(reason::EventType::Normal) => EventType::Normal,
            Ok(reason::EventType::Warning) | Err(_) => EventType::Warning,
        },
        reason: new.reason.clone(),
        note: Some(note),
        action: ACTION.into(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> RoutingPolicyStatus {
        let condition = |(kind, status, reason): &(&str, &str, &str)| json!({"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let all: Vec<_> = conditions.iter().map(condition).collect();
        serde_json::from_value(json!({"conditions": all})).expect("a status")
    }

    fn published(previous: &RoutingPolicyStatus, status: &RoutingPolicyStatus) -> Vec<(EventType, String)> {
        transitions(previous, status).into_iter().map(|event| (event.type_, event.reason)).collect()
    }

    #[test]
    fn only_transitions_are_published() {
        let before = status(&[("Ready", "False", "Progressing"), ("Accepted", "True", "Accepted")]);
        assert_eq!(published(&before, &before), []);
        let ready = status(&[("Ready", "True", "Ready"), ("Accepted", "True", "Other")]);
        assert_eq!(published(&before, &ready), [(EventType::Normal, "Ready".to_string())]);
        let refused = status(&[("Ready", "False", "Invalid"), ("Insecure", "True", "NoToken")]);
        let both = [(EventType::Warning, "Invalid".to_string()), (EventType::Warning, "NoToken".to_string())];
        assert_eq!(published(&ready, &refused), both);
    }
}
