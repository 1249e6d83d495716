//! Warnings of model calls that went wrong: at most one a minute for each skill, model and cause, with the number of
//! calls since the last one. A local model that is down must not pass unnoticed, because Claude's answers cost money,
//! and must not fill the log either.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    decision::DecisionRecord,
    rendering::RenderError,
    upstream::{Answer, AttemptError, FinishReason},
};

/// Time between two warnings of the same skill, model and cause.
const INTERVAL: Duration = Duration::from_secs(60);
/// Warnings that are remembered; beyond that, those whose interval is over are forgotten first.
const REMEMBERED_MAX: usize = 1024;

/// The cause of answers that were cut.
const CUT: &str = "cut";

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    skill: String,
    decision: &'static str,
    cause: &'static str,
}

struct Slot {
    warned: Instant,
    /// Calls since then.
    silent: u64,
}

/// Which warnings were given, and when.
#[derive(Default)]
pub struct ModelWarnings(Mutex<HashMap<Key, Slot>>);

impl ModelWarnings {
    /// Warns of a model call that failed or whose answer was cut, unless it was warned of within the last minute.
    pub(super) fn of(&self, record: &DecisionRecord, result: &Result<Answer, AttemptError>) {
        let (skill, decision, model) = (&record.skill, record.decision.as_str(), &record.model);
        match result {
            Ok(answer) if answer.finish_reason == Some(FinishReason::Length) => {
                if let Some(calls) = self.due(skill, decision, CUT, Instant::now()) {
                    tracing::warn!(
                        skill,
                        decision,
                        model,
                        calls,
                        "answers were cut at the model's token limit; raise max_tokens in its parameters"
                    );
                }
            }
            Ok(_) => {}
            Err(error) => self.failed(record, error),
        }
    }

    /// Warns of a model call that failed, or that could not be made, in the same way.
    pub(super) fn failed(&self, record: &DecisionRecord, error: &AttemptError) {
        let (skill, decision, model) = (&record.skill, record.decision.as_str(), &record.model);
        if let Some(calls) = self.due(skill, decision, error.kind(), Instant::now()) {
            tracing::warn!(skill, decision, model, calls, cause = error.kind(), %error, "model calls failed");
        }
    }

    /// Warns of a prompt that could not be rendered, in the same way. A template's own error is the caller's to read.
    pub(super) fn of_a_prompt(&self, skill: &str, stage: usize, error: &RenderError) {
        if matches!(error, RenderError::Template(_)) {
            return;
        }
        if let Some(calls) = self.due(skill, "prompt", error.kind(), Instant::now()) {
            tracing::warn!(skill, stage, calls, cause = error.kind(), %error, "prompts could not be rendered");
        }
    }

    /// The number of calls to warn of now, this one included; none if the last warning is less than a minute old.
    fn due(&self, skill: &str, decision: &'static str, cause: &'static str, now: Instant) -> Option<u64> {
        // Every update of a slot is complete, so a panic elsewhere leaves nothing half done.
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key { skill: skill.to_string(), decision, cause };
        if let Some(slot) = slots.get_mut(&key) {
            slot.silent += 1;
            if now.duration_since(slot.warned) < INTERVAL {
                return None;
            }
            return Some(std::mem::replace(slot, Slot { warned: now, silent: 0 }).silent);
        }
        if slots.len() >= REMEMBERED_MAX {
            slots.retain(|_, slot| now.duration_since(slot.warned) < INTERVAL);
        }
        slots.insert(key, Slot { warned: now, silent: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_and_cause_is_warned_of_once_a_minute_with_the_calls_since() {
        let (warnings, start) = (ModelWarnings::default(), Instant::now());
        let due = |skill, cause, seconds| warnings.due(skill, "local", cause, start + Duration::from_secs(seconds));
        assert_eq!(due("debug", "timeout", 0), Some(1), "at once");
        assert_eq!((due("debug", "timeout", 1), due("debug", "timeout", 59)), (None, None));
        assert_eq!(due("debug", "unreachable", 59), Some(1), "another cause");
        assert_eq!(due("trainer", "timeout", 59), Some(1), "another skill");
        assert_eq!(due("debug", "timeout", 60), Some(3), "those two, and this one");
        assert_eq!(due("debug", "timeout", 119), None);
        assert_eq!(due("debug", "timeout", 600), Some(2));
    }

    #[test]
    fn skills_of_policies_long_gone_are_forgotten() {
        let (warnings, start) = (ModelWarnings::default(), Instant::now());
        for i in 0..3 * REMEMBERED_MAX {
            let second = u64::try_from(i).expect("small");
            warnings.due(&format!("skill-{i}"), "local", "timeout", start + Duration::from_secs(second));
        }
        assert!(warnings.0.lock().expect("not poisoned").len() <= REMEMBERED_MAX);
    }
}
