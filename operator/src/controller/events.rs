//! Events: one when `Ready` or `BrainReady` changes its status or reason, one when the policy becomes `Insecure`,
//! `EvidenceLocked` or `Contested`, one when the local model is left alone and when it is called again, and one for each skill whose route
//! changes.

use crds::policy::{Reason, RoutingPolicyStatus, SkillStatus, condition, reason};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::runtime::events::{Event, EventType};

/// Longest note, in bytes (Kubernetes' limit is 1,024).
const NOTE_MAX: usize = 1_000;
/// The `action` of most events: what the operator was doing.
const ACTION: &str = "Reconcile";
/// The `action` of events about the managed brain: with the same one, those of `Ready` with the same reason would be
/// counted as repetitions of these.
const BRAIN_ACTION: &str = "RunBrain";
/// The `action` of events about the endpoints of the models, for the same reason.
const MODELS_ACTION: &str = "CallModels";

/// What changed between two statuses of a policy, as events.
#[must_use]
pub fn transitions(of: &ObjectReference, previous: &RoutingPolicyStatus, status: &RoutingPolicyStatus) -> Vec<Event> {
    let changed = |kind: &str| {
        let new = status.condition(kind)?;
        let same = previous.condition(kind).is_some_and(|old| old.status == new.status && old.reason == new.reason);
        (!same).then(|| of_condition(new))
    };
    let kinds = [
        condition::READY,
        condition::BRAIN_READY,
        condition::INSECURE,
        condition::EVIDENCE_LOCKED,
        condition::CONTESTED,
    ];
    // Endpoints come and go; only that calls do without the local model, and that they no longer do, is news.
    let upstream =
        changed(condition::UPSTREAM_REACHABLE).filter(|_| is_circuit_open(previous) || is_circuit_open(status));
    let conditions = kinds.into_iter().filter_map(changed).chain(upstream);
    conditions.chain(rerouted(of, previous, status)).collect()
}

fn is_circuit_open(status: &RoutingPolicyStatus) -> bool {
    let upstream = status.condition(condition::UPSTREAM_REACHABLE);
    upstream.is_some_and(|condition| condition.reason == Reason::LocalCircuitOpen.as_str())
}

fn of_condition(new: &Condition) -> Event {
    let event = event(new.reason.parse().ok(), &new.reason, new.message.clone());
    let action = match new.type_.as_str() {
        condition::BRAIN_READY => BRAIN_ACTION,
        condition::UPSTREAM_REACHABLE => MODELS_ACTION,
        _ => ACTION,
    };
    Event { action: action.into(), ..event }
}

/// A skill that was not in the status before has no event: nothing changed for its callers.
fn rerouted(
    of: &ObjectReference,
    previous: &RoutingPolicyStatus,
    status: &RoutingPolicyStatus,
) -> impl Iterator<Item = Event> {
    status.skills.iter().filter_map(move |new| {
        let old = previous.skills.iter().find(|old| old.name == new.name)?;
        (old.route != new.route).then(|| route_changed(of, old, new))
    })
}

/// Events of the same action that regard and relate to the same things become one, with the note of the first; so these
/// have the two routes in the action, and relate to the skill.
fn route_changed(of: &ObjectReference, old: &SkillStatus, new: &SkillStatus) -> Event {
    let (from, to) = (old.route.as_str(), new.route.as_str());
    let why = new.message.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let reason = Reason::RouteChanged;
    let related = ObjectReference { field_path: Some(format!("status.skills[{}]", new.name)), ..of.clone() };
    Event {
        action: format!("Route{from}To{to}"),
        secondary: Some(related),
        ..event(Some(reason), reason.as_str(), format!("{}: {from} → {to}{why}", new.name))
    }
}

fn event(known: Option<Reason>, reason: &str, mut note: String) -> Event {
    note.truncate(note.floor_char_boundary(NOTE_MAX));
    Event {
        type_: match known.map(Reason::event_type) {
            Some(reason::EventType::Normal) => EventType::Normal,
            Some(reason::EventType::Warning) | None => EventType::Warning,
        },
        reason: reason.into(),
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
        transitions(&ObjectReference::default(), previous, status)
            .into_iter()
            .map(|event| (event.type_, event.reason))
            .collect()
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

    #[test]
    fn that_calls_do_without_the_local_model_is_published_and_other_changes_of_endpoints_are_not() {
        let (unknown, well, away, open) = (
            status(&[("UpstreamReachable", "Unknown", "UpstreamNotProbed")]),
            status(&[("UpstreamReachable", "True", "UpstreamReachable")]),
            status(&[("UpstreamReachable", "False", "UpstreamUnreachable")]),
            status(&[("UpstreamReachable", "False", "LocalCircuitOpen")]),
        );
        let left_alone = (EventType::Warning, "LocalCircuitOpen".to_string());
        for (previous, status, expected) in [
            (&unknown, &well, vec![]),
            (&well, &away, vec![]),
            (&away, &open, vec![left_alone.clone()]),
            (&well, &open, vec![left_alone]),
            (&open, &open, vec![]),
            (&open, &well, vec![(EventType::Normal, "UpstreamReachable".to_string())]),
        ] {
            assert_eq!(published(previous, status), expected);
        }
        let events = transitions(&ObjectReference::default(), &well, &open);
        assert_eq!(events[0].action, MODELS_ACTION, "it is not counted as a repetition of another event");
    }

    /// A status with skills as `(name, route, message)`.
    fn of_skills(skills: &[(&str, &str, Option<&str>)]) -> RoutingPolicyStatus {
        let skill = |(name, route, message): &(&str, &str, Option<&str>)| json!({"name": name, "route": route, "message": message});
        let all: Vec<_> = skills.iter().map(skill).collect();
        serde_json::from_value(json!({"skills": all})).expect("a status")
    }

    #[test]
    fn a_changed_route_is_published_with_its_reason_and_a_first_one_is_not() {
        let local = of_skills(&[("debug", "Local", Some("0.95 of 20 is at or above 0.90"))]);
        let claude = of_skills(&[("debug", "Claude", Some("0.68 of 41 is below 0.70"))]);
        let other_rate = of_skills(&[("debug", "Local", Some("0.96 of 21 is at or above 0.90"))]);
        let of_an_older_pod = of_skills(&[("debug", "Split", None)]);
        let with_another = of_skills(&[("debug", "Local", None), ("trainer", "Claude", None)]);
        let none = RoutingPolicyStatus::default();
        for (previous, status, expected) in [
            (&none, &claude, vec![]),
            (&local, &local, vec![]),
            (&local, &other_rate, vec![]),
            (&local, &none, vec![]),
            (&local, &with_another, vec![]),
            (&local, &claude, vec!["debug: Local → Claude: 0.68 of 41 is below 0.70"]),
            (&claude, &local, vec!["debug: Claude → Local: 0.95 of 20 is at or above 0.90"]),
            (&claude, &of_an_older_pod, vec!["debug: Claude → Split"]),
        ] {
            let events = transitions(&ObjectReference::default(), previous, status);
            let notes: Vec<_> = events.iter().filter_map(|event| event.note.as_deref()).collect();
            assert_eq!(notes, expected);
            assert!(events.iter().all(|event| event.reason == "RouteChanged" && event.type_ == EventType::Normal));
        }
    }

    #[test]
    fn route_changes_of_two_skills_and_in_two_directions_stay_apart() {
        let before = of_skills(&[("debug", "Local", None), ("trainer", "Local", None)]);
        let after = of_skills(&[("debug", "Claude", None), ("trainer", "Claude", None)]);
        let of = ObjectReference { name: Some("edge".into()), ..ObjectReference::default() };
        let mut events = transitions(&of, &before, &after);
        events.extend(transitions(&of, &after, &before));
        let key = |event: &Event| {
            let related = event.secondary.clone().unwrap_or_default();
            assert_eq!(related.name.as_deref(), Some("edge"));
            (event.action.clone(), related.field_path)
        };
        let keys: std::collections::BTreeSet<_> = events.iter().map(key).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
    }
}
