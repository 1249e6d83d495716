//! Metrics of the evidence that decides, and of its rules.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crds::{RoutingTable, table::Skill};
use endpoint::metrics::Registered;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};

use super::labels::{Counters, SkillLabel};
use crate::decision::DecisionRecord;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RulesLabels {
    skill: String,
    of: String,
    sources: String,
    on_expired: String,
    exploration: String,
    relative_to: String,
    check: String,
    grading: String,
}

impl RulesLabels {
    fn of(table: &RoutingTable, skill: &Skill) -> Self {
        let none = || "None".to_string();
        Self {
            skill: skill.name.clone(),
            of: format!("{:?}", table.evidence.of),
            sources: table.evidence.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(","),
            on_expired: format!("{:?}", table.evidence.on_expired),
            exploration: format!("{:?}", table.exploration.mode),
            relative_to: format!("{:?}", skill.relative_to),
            check: skill.check.as_ref().map_or_else(none, |check| format!("{:?}", check.on_failed)),
            grading: skill.grading.as_ref().map_or_else(none, |grading| format!("{:?}", grading.by)),
        }
    }
}

/// See the module.
pub(super) struct Evidence {
    held_decisions: Counters<SkillLabel>,
    locked: Family<SkillLabel, Gauge>,
    skill_rules: Family<RulesLabels, Gauge>,
    /// The skills that `locked` has.
    reported_locks: Mutex<BTreeSet<String>>,
}

impl Evidence {
    pub(super) fn registered(new: &mut Registered<'_>) -> Self {
        Self {
            held_decisions: new
                .metric("held_decisions", "Routing decisions by a pass rate whose outcomes are older than the window"),
            locked: new.metric(
                "evidence_locked",
                "Whether a skill goes to Claude and gets no outcomes of the local model any more, by the last known pass rate",
            ),
            skill_rules: new.metric(
                "skill_rules",
                "The rules of evidence of a skill, as labels; always 1. check and grading: None, or who answers and who judges",
            ),
            reported_locks: Mutex::default(),
        }
    }

    pub(super) fn decision(&self, record: &DecisionRecord) {
        if record.basis.held {
            self.held_decisions.get_or_create(&SkillLabel { skill: record.skill.clone() }).inc();
        }
    }

    /// The rules that each skill of a table has; those of an earlier table are forgotten.
    pub(super) fn rules(&self, table: &RoutingTable) {
        self.skill_rules.clear();
        for skill in table.skills.values() {
            self.skill_rules.get_or_create(&RulesLabels::of(table, skill)).set(1);
        }
    }

    /// Which skills are locked; those that were reported before and are not any more are forgotten.
    pub(super) fn locked(&self, skills: impl Iterator<Item = (String, bool)>) {
        // Every update of the set is complete, so a panic elsewhere leaves nothing half done.
        let mut reported = self.reported_locks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *reported);
        for (skill, locked) in skills {
            self.locked.get_or_create(&SkillLabel { skill: skill.clone() }).set(locked.into());
            gone.remove(&skill);
            reported.insert(skill);
        }
        for skill in gone {
            self.locked.remove(&SkillLabel { skill });
        }
    }
}
