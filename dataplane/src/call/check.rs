//! The check of a skill's answers: of the answer of its last stage, whichever model gave it.

use std::{sync::Arc, time::Instant};

use crds::{
    policy::{CheckCounts, OnFailedCheck, Source},
    table::Skill,
};
use endpoint::trace::Place;
use uuid::Uuid;

use super::Call;
use crate::{
    config::Active,
    decide::Decision,
    decision::{Checked, DecisionRecord},
    decision_log::DecisionLog,
    upstream::{Answer, FinishReason},
    verdict::{Quality, Verdict},
};

/// Answers up to this size, in bytes, are checked at once; larger ones where they delay no other call.
const AT_ONCE_MAX_BYTES: usize = 16 * 1024;

/// What the skill's check says of the answer of a stage; none if that is not checked.
pub(super) async fn checked(skill: &Arc<Skill>, stage: usize, answer: &Answer) -> Option<Checked> {
    skill.check.as_ref().filter(|_| skill.is_last(stage))?;
    let holds = answer.finish_reason != Some(FinishReason::Length) && holds(skill, &answer.text).await;
    Some(if holds { Checked::Passed } else { Checked::Failed })
}

async fn holds(skill: &Arc<Skill>, text: &str) -> bool {
    let by_check = |skill: &Skill, text: &str| skill.check.as_ref().is_none_or(|check| check.check.holds_for(text));
    if text.len() <= AT_ONCE_MAX_BYTES {
        return by_check(skill, text);
    }
    let (skill, text) = (Arc::clone(skill), text.to_string());
    // A check that panicked says nothing good of an answer.
    tokio::task::spawn_blocking(move || by_check(&skill, &text)).await.unwrap_or(false)
}

/// Whether a failed check of a local answer makes Claude answer.
pub(super) fn escalates(skill: &Skill) -> bool {
    skill.check.as_ref().is_some_and(|check| check.on_failed == OnFailedCheck::Claude)
}

/// Whether this attempt makes Claude answer: a failed one of the local model, unless no time is left for it. To return the
/// work to the caller needs none.
pub(super) fn sends_on(call: &Call, record: &DecisionRecord, deadline: Instant) -> bool {
    let out_of_time = call.active.claude.is_some() && deadline <= Instant::now();
    record.decision == Decision::Local && record.failed_check() && escalates(&call.skill) && !out_of_time
}

/// Reports what the check says, if it counts. Claude's answers to what was too hard for the local model say nothing of
/// how often Claude is right, so they are no verdicts.
pub(super) fn report(
    log: &DecisionLog,
    active: &Active,
    skill: &Skill,
    (call_id, place): (Uuid, &Place),
    record: &DecisionRecord,
) {
    let Some(check) = skill.check.as_ref().filter(|_| record.decision != Decision::ClaudeEscalation) else {
        return;
    };
    let quality = match (record.check, check.counts) {
        (Some(Checked::Failed), _) => Quality::Fail,
        (Some(Checked::Passed), CheckCounts::Both) => Quality::Pass,
        (Some(Checked::Passed), CheckCounts::Fail) | (None, _) => return,
    };
    let verdict = Verdict::new(&record.skill, record.id, Source::Check, quality);
    log.verdict(call_id, place, active.brain.as_ref(), verdict);
}
