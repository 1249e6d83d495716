//! Remembers what was asked of late: who asks the same again at once was not served by the first answer. Only hashes are
//! kept, never what was asked. No I/O.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long after an answer the same call counts as asked again.
const AGAIN_WITHIN: Duration = Duration::from_secs(600);
/// Calls that are remembered; beyond that, the oldest is forgotten first.
const REMEMBERED_MAX: usize = 4096;

/// Identifies a call of a skill by what is asked and who asks: 128 bits of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked([u8; 16]);

impl Asked {
    /// `session` is the caller's own session, if it names one; otherwise `caller`, the name of its token, counts, and
    /// callers of an open endpoint count as one.
    pub fn of(skill: &str, arguments: &Map<String, Value>, session: Option<&str>, caller: Option<&str>) -> Self {
        let mut asked = serde_json::json!([skill, arguments, session, caller.filter(|_| session.is_none())]);
        // The order in which arguments are sent does not count.
        asked.sort_all_objects();
        let digest: [u8; 32] = Sha256::digest(asked.to_string()).into();
        Self(std::array::from_fn(|i| digest[i]))
    }
}

/// The decision whose answer a call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub call_id: Uuid,
    pub decision_id: Uuid,
}

/// The calls of late and their decisions.
#[derive(Default)]
pub struct Repeats(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    known: HashMap<Asked, (Answered, Instant)>,
    /// In the order in which they were noted; also those that were taken, or noted again, since.
    order: VecDeque<(Asked, Instant)>,
}

impl Calls {
    /// Makes room for one more. To look at all of them would take most of a call's time.
    fn forget(&mut self, now: Instant) {
        let is_over = |at: Instant| now.saturating_duration_since(at) > AGAIN_WITHIN;
        loop {
            // Who asks the same over and over takes more of the order than of what is known.
            let is_full = self.known.len() >= REMEMBERED_MAX || self.order.len() >= 2 * REMEMBERED_MAX;
            let Some((asked, at)) = self.order.front().copied().filter(|(_, at)| is_full || is_over(*at)) else {
                return;
            };
            self.order.pop_front();
            if self.known.get(&asked).is_some_and(|(_, noted)| *noted == at) {
                self.known.remove(&asked);
            }
        }
    }
}

impl Repeats {
    /// The decision whose answer the same call got within the last ten minutes. It is forgotten, so it counts once.
    pub fn take(&self, asked: Asked, now: Instant) -> Option<Answered> {
        let (answered, at) = self.lock().known.remove(&asked)?;
        (now.saturating_duration_since(at) <= AGAIN_WITHIN).then_some(answered)
    }

    /// Remembers that a call was answered.
    pub fn note(&self, asked: Asked, answered: Answered, now: Instant) {
        let mut calls = self.lock();
        calls.forget(now);
        calls.known.insert(asked, (answered, now));
        calls.order.push_back((asked, now));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        // Nothing that holds the lock can panic in the middle of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(skill: &str, arguments: Value, session: Option<&str>, caller: Option<&str>) -> Asked {
        Asked::of(skill, arguments.as_object().expect("an object"), session, caller)
    }

    fn answered() -> Answered {
        Answered { call_id: Uuid::now_v7(), decision_id: Uuid::now_v7() }
    }

    #[test]
    fn a_call_is_the_same_by_skill_arguments_and_session_or_caller() {
        let it = asked("debug", json!({"a": 1, "b": 2}), Some("s"), Some("ann"));
        assert_eq!(it, asked("debug", json!({"b": 2, "a": 1}), Some("s"), Some("bob")), "the session counts");
        assert_eq!(
            asked("debug", json!({}), None, Some("ann")),
            asked("debug", json!({}), None, Some("ann")),
            "without one, the caller"
        );
        for other in [
            asked("trainer", json!({"a": 1, "b": 2}), Some("s"), Some("ann")),
            asked("debug", json!({"a": 1, "b": 3}), Some("s"), Some("ann")),
            asked("debug", json!({"a": 1, "b": 2}), Some("t"), Some("ann")),
            asked("debug", json!({"a": 1, "b": 2}), None, Some("ann")),
        ] {
            assert_ne!(it, other);
        }
        assert_ne!(asked("debug", json!({}), None, Some("ann")), asked("debug", json!({}), Some("ann"), None));
    }

    /// Calls that are known, and those in the order.
    fn sizes(repeats: &Repeats) -> (usize, usize) {
        let calls = repeats.lock();
        (calls.known.len(), calls.order.len())
    }

    #[test]
    fn the_same_counts_once_and_for_ten_minutes() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let (it, first) = (asked("debug", json!({}), None, None), answered());
        assert_eq!(repeats.take(it, start), None);
        repeats.note(it, first, start);
        assert_eq!(repeats.take(it, start + AGAIN_WITHIN), Some(first));
        assert_eq!(repeats.take(it, start + AGAIN_WITHIN), None, "once");
        repeats.note(it, first, start);
        assert_eq!(repeats.take(it, start + AGAIN_WITHIN + Duration::from_millis(1)), None, "too late");
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_is_forgotten_first() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let call = |i: usize| asked("debug", json!({"i": i}), None, None);
        let note = |i: usize, at: usize| {
            repeats.note(call(i), answered(), start + Duration::from_millis(u64::try_from(at).expect("small")));
        };
        (0..=REMEMBERED_MAX).for_each(|i| note(i, i));
        assert_eq!(sizes(&repeats), (REMEMBERED_MAX, REMEMBERED_MAX));
        let now = start + Duration::from_secs(10);
        assert!(repeats.take(call(0), now).is_none() && repeats.take(call(1), now).is_some());
        note(2, 5_000);
        (10_000..10_010).for_each(|i| note(i, 5_001));
        assert!(repeats.take(call(3), now).is_none() && repeats.take(call(2), now).is_some(), "it was noted anew");
        for i in 0..3 * REMEMBERED_MAX {
            assert_eq!(repeats.take(call(7_777), now).is_some(), i > 0, "{i}");
            note(7_777, 5_002);
        }
        assert!(sizes(&repeats).1 <= 2 * REMEMBERED_MAX);
    }

    #[test]
    fn what_is_too_old_is_not_kept_until_there_is_no_room() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let call = |i: usize| asked("debug", json!({"i": i}), None, None);
        (0..10).for_each(|i| repeats.note(call(i), answered(), start));
        repeats.note(call(10), answered(), start + AGAIN_WITHIN + Duration::from_secs(1));
        assert_eq!(sizes(&repeats), (1, 1));
    }
}
