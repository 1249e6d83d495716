//! Verdicts on decisions that come in by themselves, without a person and without the calling model.

use crds::policy::Source;
use serde::Serialize;
use uuid::Uuid;

/// What is known about the quality of an answer.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// It is good.
    Pass,
    /// It is not.
    Fail,
    /// Whoever judged it could not tell.
    #[serde(rename = "skip")]
    Unsure,
}

impl Quality {
    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unsure => "unsure",
        }
    }
}

/// The phase of an entry that says how an answer turned out.
pub const OUTCOME: &str = "outcome";

/// A verdict on a decision: the arguments of `session_log` that report it.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub skill: String,
    phase: &'static str,
    #[serde(rename = "final_status")]
    pub quality: Quality,
    pub decision_id: Uuid,
    pub source: Source,
}

impl Verdict {
    pub fn new(skill: &str, decision_id: Uuid, source: Source, quality: Quality) -> Self {
        Self { skill: skill.into(), phase: OUTCOME, quality, decision_id, source }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verdict_is_an_outcome_of_its_decision_with_its_source() {
        let id = Uuid::now_v7();
        assert_eq!(
            json!(Verdict::new("debug", id, Source::Check, Quality::Fail)),
            json!({"skill": "debug", "phase": "outcome", "final_status": "fail", "decision_id": id, "source": "check"})
        );
        assert_eq!(json!(Verdict::new("debug", id, Source::Grader, Quality::Unsure))["final_status"], "skip");
        assert_eq!(json!([Source::Check, Source::Grader, Source::Implicit]), json!(["check", "grader", "implicit"]));
    }
}
