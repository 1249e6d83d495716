//! Whether skills stay with Claude until someone acts.

use crds::{
    policy::{Reason, SkillStatus},
    shown::printable,
};

use super::Finding;

/// Longest list of skills, in characters: an event has room for the cure, too.
const NAMES_SHOWN: usize = 400;

/// The skills that are below ceil and get no outcome of the local model any more; none: there are none. Without their
/// rates, so that it is written only when the skills change.
pub(super) fn locked(skills: &[SkillStatus]) -> Option<Finding> {
    let names: Vec<&str> = skills.iter().filter(|skill| skill.locked).map(|skill| skill.name.as_str()).collect();
    let message = format!(
        "below ceil, and no outcome of the local model comes in any more: {}; to change that, set \
         spec.evidence.exploration to mode Live or Shadow, or begin their evidence anew with \
         `routing evidence reset SKILL`",
        printable(&names.join(", "), NAMES_SHOWN)
    );
    (!names.is_empty()).then(|| Finding::holds(Reason::NoLocalOutcomes, message))
}
