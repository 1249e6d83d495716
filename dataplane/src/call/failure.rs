//! Why a call has no answer. Shown to the caller as a tool error; never with text of the prompt.

use crds::template::TemplateError;

use crate::{decide::Decision, upstream::AttemptError};

/// A call without an answer.
#[derive(Debug)]
pub enum CallFailure {
    /// A stage's prompt could not be rendered.
    Prompt {
        /// The skill.
        skill: String,
        /// The stage, from 0.
        stage: usize,
        /// Where and why.
        source: TemplateError,
    },
    /// The models gave none.
    Models {
        /// The skill.
        skill: String,
        /// Every attempt: where it went, which model, what came.
        attempts: Vec<(Decision, String, AttemptError)>,
        /// The policy forbids Claude for this skill's local errors.
        kept_local: bool,
    },
    /// The skill has no stage.
    NoStages,
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt { skill, stage, source } => {
                write!(
                    f,
                    "{skill}: the prompt of stage {} could not be rendered: {source}; the policy's stages[{stage}].user needs mending",
                    stage + 1
                )
            }
            Self::Models { skill, attempts, kept_local } => {
                let attempt = |(decision, model, error): &(Decision, String, AttemptError)| {
                    format!("{} ({model}): {error}", decision.as_str())
                };
                let attempts: Vec<String> = attempts.iter().map(attempt).collect();
                write!(f, "{skill} has no answer: {}", attempts.join("; "))?;
                f.write_str(if *kept_local {
                    "; not sent to Claude, because the policy keeps this skill local"
                } else {
                    ""
                })
            }
            Self::NoStages => f.write_str("the skill has no stages"),
        }
    }
}
