//! Decides, without I/O, what to do with one child: keep it, wait, or send it.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Instant,
};

use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::{
    contest::{Contest, Corrections},
    refusal::{Problem, Refused},
};
use crate::controller::child::ChildKey;

/// What is remembered about the children between reconciliations.
#[derive(Clone, Default, Debug)]
pub struct ChildStates(BTreeMap<ChildKey, ChildState>);

impl ChildStates {
    /// Forgets children that are no longer built.
    pub(super) fn keep_only(&mut self, built: &[ChildKey]) {
        self.0.retain(|key, _| built.contains(key));
    }

    pub(super) fn of(&mut self, key: &ChildKey) -> &mut ChildState {
        self.0.entry(key.clone()).or_default()
    }

    /// What somebody else keeps changing.
    pub(super) fn contests(&mut self, now: Instant) -> Vec<Contest> {
        self.0.iter_mut().flat_map(|(key, state)| state.corrections.contests(key, now)).collect()
    }
}

/// What is remembered about one child.
#[derive(Clone, Default, Debug)]
pub(super) struct ChildState {
    last_applied: Option<LastApplied>,
    pub(super) refused: Option<Refused>,
    corrections: Corrections,
}

/// Fingerprint of what was last sent, and `resourceVersion` of the object after it. While both are the same, nothing
/// changed and there is nothing to send.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LastApplied {
    body: u64,
    version: String,
}

impl ChildState {
    /// The API server accepted a body with this fingerprint.
    pub(super) fn applied(&mut self, body: u64, object: &DynamicObject) {
        let version = object.resource_version().unwrap_or_default();
        self.last_applied = Some(LastApplied { body, version });
        self.refused = None;
    }

    /// The body was accepted: if it is the one that was last applied, somebody else had changed the object.
    pub(super) fn corrected(&mut self, body: &Value, sent: u64, existing: Option<&DynamicObject>, now: Instant) {
        if let Some(object) = existing.filter(|_| self.was_applied(sent)) {
            self.corrections.note(body, object, now);
        }
    }

    fn was_applied(&self, sent: u64) -> bool {
        self.last_applied.as_ref().is_some_and(|last| last.body == sent)
    }

    /// The API server refused a body with this fingerprint.
    pub(super) fn refused(&mut self, body: u64, problem: Problem, now: Instant) -> &Refused {
        let refused = Refused::after(self.refused.as_ref(), body, problem, now);
        self.refused.insert(refused)
    }
}

/// What to do with a child.
#[derive(Debug, PartialEq)]
pub(super) enum Step<'a> {
    /// It is unchanged since it was last applied.
    Keep,
    /// Somebody else keeps changing it, and it was corrected just now: it is left as it is until then.
    Calm(Instant),
    /// It was refused, and it is too early to send it again.
    Wait(&'a Refused),
    /// It is new, changed, or due again: the body to send.
    Send(Value),
}

/// What to do with a body that is built; `sent` is its fingerprint.
pub(super) fn decide<'a>(
    mut body: Value,
    sent: u64,
    existing: Option<&DynamicObject>,
    state: &'a ChildState,
    now: Instant,
) -> Step<'a> {
    if let Some(object) = existing {
        let version = object.resource_version().unwrap_or_default();
        if state.last_applied.as_ref().is_some_and(|last| last.body == sent && last.version == version) {
            return Step::Keep;
        }
        if let Some(until) = state.corrections.calm_until(now).filter(|_| state.was_applied(sent)) {
            return Step::Calm(until);
        }
        // With the UID, the API server refuses to change an object that was recreated: it may have another owner.
        body["metadata"]["uid"] = Value::from(object.uid());
    }
    match &state.refused {
        Some(refused) if refused.body == sent && now < refused.again_at => Step::Wait(refused),
        _ => Step::Send(body),
    }
}

/// Distinguishes bodies; valid only within this process.
pub(super) fn fingerprint(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crds::policy::Reason;
    use serde_json::json;

    use super::*;
    use crate::controller::child::ChildKind;

    fn built(port: u16) -> Value {
        json!({"metadata": {"name": "edge"}, "spec": {"port": port}})
    }

    fn decided<'a>(port: u16, existing: Option<&DynamicObject>, state: &'a ChildState, now: Instant) -> Step<'a> {
        decide(built(port), fingerprint(&built(port)), existing, state, now)
    }

    fn object(uid: &str, version: &str) -> DynamicObject {
        let object = json!({"metadata": {"name": "edge", "uid": uid, "resourceVersion": version}});
        serde_json::from_value(object).expect("an object")
    }

    fn applied(port: u16, object: &DynamicObject) -> ChildState {
        let mut state = ChildState::default();
        state.applied(fingerprint(&built(port)), object);
        state
    }

    fn refused(mut state: ChildState, port: u16, now: Instant) -> ChildState {
        let key = ChildKey::new(ChildKind::Service, "edge");
        let problem = Problem { key, reason: Reason::NodePortTaken, message: "taken".into() };
        state.refused(fingerprint(&built(port)), problem, now);
        state
    }

    /// The body that is sent for an object with this UID.
    fn body(port: u16, uid: Option<&str>) -> Value {
        let mut body = built(port);
        if let Some(uid) = uid {
            body["metadata"]["uid"] = json!(uid);
        }
        body
    }

    #[test]
    fn a_child_is_kept_waited_for_or_sent() {
        let now = Instant::now();
        let later = now + Duration::from_secs(6);
        let (mine, changed, recreated) = (object("u1", "7"), object("u1", "8"), object("u2", "9"));
        let new = ChildState::default();
        let refusal = refused(ChildState::default(), 80, now);
        let wait = || Step::Wait(refusal.refused.as_ref().expect("just refused"));
        let rows = [
            ("new", 80, None, &new, now, Step::Send(body(80, None))),
            ("unknown to this process", 80, Some(&mine), &new, now, Step::Send(body(80, Some("u1")))),
            ("unchanged", 80, Some(&mine), &applied(80, &mine), now, Step::Keep),
            ("another body is built", 81, Some(&mine), &applied(80, &mine), now, Step::Send(body(81, Some("u1")))),
            ("changed by someone else", 80, Some(&changed), &applied(80, &mine), now, Step::Send(body(80, Some("u1")))),
            ("recreated", 80, Some(&recreated), &applied(80, &mine), now, Step::Send(body(80, Some("u2")))),
            ("deleted", 80, None, &applied(80, &mine), now, Step::Send(body(80, None))),
            ("refused and waiting", 80, None, &refusal, now, wait()),
            ("refused and due", 80, None, &refusal, later, Step::Send(body(80, None))),
            ("refused, and another body is built", 81, None, &refusal, now, Step::Send(body(81, None))),
            ("refused, and one exists", 80, Some(&mine), &refusal, now, wait()),
        ];
        for (what, port, existing, state, now, expected) in rows {
            assert_eq!(decided(port, existing, state, now), expected, "{what}");
        }
    }

    #[test]
    fn a_refused_change_is_kept_once_the_old_body_is_built_again() {
        let (mine, now) = (object("u1", "7"), Instant::now());
        let state = refused(applied(80, &mine), 81, now);
        assert_eq!(decided(80, Some(&mine), &state, now), Step::Keep);
    }
}
