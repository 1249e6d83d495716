//! What it took to judge an answer: the arguments of `session_log` that report it.

use serde::Serialize;
use uuid::Uuid;

use crate::upstream::Usage;

/// The phase of such an entry.
const PHASE: &str = "grading";

/// What the judgement of an answer took. It says nothing about the answer.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct Spent {
    pub skill: String,
    phase: &'static str,
    final_status: &'static str,
    /// The decision whose answer was judged.
    pub decision_id: Uuid,
    pub usage: SpentUsage,
}

/// Of which model.
#[derive(Serialize, Clone, Debug, PartialEq)]
pub struct SpentUsage {
    pub model: String,
    #[serde(flatten)]
    pub usage: Usage,
}

impl Spent {
    /// Where metrics have an arm: whichever model judges, it answers no call.
    pub const ARM: &str = "grader";

    pub(super) fn new(skill: &str, decision_id: Uuid, model: &str, usage: Usage) -> Self {
        let usage = SpentUsage { model: model.into(), usage };
        Self { skill: skill.into(), phase: PHASE, final_status: "skip", decision_id, usage }
    }
}
