//! The entry of a decision.

use serde::Serialize;
use uuid::Uuid;

use super::ROUTING;
use crate::decision::DecisionRecord;

/// The entry of `contract` part 4, with the record only for a brain that declares it.
#[derive(Serialize)]
pub(super) struct DecisionEntry<'a> {
    session_id: &'static str,
    skill: &'a str,
    phase: &'static str,
    final_status: &'static str,
    message: String,
    duration_ms: u64,
    project_root: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a DecisionRecord>,
}

impl<'a> DecisionEntry<'a> {
    /// For a brain that declares records: a shadow call has an entry of its own kind.
    pub(super) fn whole(record: &'a DecisionRecord) -> Self {
        if record.shadow { Self::of_shadow(record) } else { Self::with_record(record) }
    }

    pub(super) fn of(record: &'a DecisionRecord) -> Self {
        Self {
            session_id: ROUTING,
            skill: ROUTING,
            phase: "decide",
            final_status: record.final_status(),
            message: record.message(),
            duration_ms: record.duration_ms,
            project_root: "",
            decision_id: None,
            decision: None,
        }
    }

    pub(super) fn with_record(record: &'a DecisionRecord) -> Self {
        Self { decision_id: Some(record.id), decision: Some(record), ..Self::of(record) }
    }

    /// `skip`, even if the model call failed: that is no outcome of the skill's.
    pub(super) fn of_shadow(record: &'a DecisionRecord) -> Self {
        Self { skill: &record.skill, phase: "shadow", final_status: "skip", ..Self::with_record(record) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{decide::Decision, decision::tests::record};

    #[test]
    fn contract_4_the_entry_has_exactly_these_arguments() {
        let mut record = record(Decision::Local, Some(0.94));
        record.duration_ms = 12;
        assert_eq!(
            json!(DecisionEntry::of(&record)),
            json!({"session_id": "_routing", "skill": "_routing", "phase": "decide", "final_status": "skip",
                "message": "debug: local — model=qwen35, pass_rate=0.94", "duration_ms": 12, "project_root": ""})
        );
    }

    #[test]
    fn a_shadow_call_is_an_entry_of_its_skill_that_says_nothing_about_quality() {
        let record = DecisionRecord { shadow: true, error: Some("timeout"), ..record(Decision::Local, Some(0.1)) };
        let entry = json!(DecisionEntry::of_shadow(&record));
        assert_eq!(
            (&entry["skill"], &entry["phase"], &entry["final_status"], &entry["message"]),
            (&json!("debug"), &json!("shadow"), &json!("skip"), &json!("debug: shadow — model=qwen35"))
        );
        assert_eq!(
            (&entry["decision_id"], &entry["decision"]["shadow"], &entry["decision"]["decision"]),
            (&json!(record.id), &json!(true), &json!("local"))
        );
    }

    #[test]
    fn contract_4_session_and_project_never_carry_the_callers_own() {
        let with_record = json!(DecisionEntry::with_record(&record(Decision::Local, None)));
        assert_eq!((&with_record["session_id"], &with_record["project_root"]), (&json!("_routing"), &json!("")));
        assert_eq!(with_record["decision"]["session"], "mine");
    }
}
