//! Why a call has no answer. Shown to the caller as a tool error; it never contains text of the prompt.

use super::SESSION_MAX;
use crate::{decide::Decision, rendering::RenderError, upstream::AttemptError};

/// A call without an answer.
#[derive(Debug)]
pub enum CallFailure {
    /// A stage's prompt could not be rendered.
    Prompt {
        skill: String,
        /// Counted from 0.
        stage: usize,
        /// What is wrong with the template, or with rendering it.
        source: RenderError,
    },
    /// Every attempt failed.
    Models {
        skill: String,
        /// In order: the decision, the model's name, the error.
        attempts: Vec<(Decision, String, AttemptError)>,
        /// The policy forbids a fallback to Claude for this skill.
        kept_local: bool,
    },
    /// The argument `session_id` has a tab, a line end or another hidden character, or is too long.
    SessionId { skill: String },
    /// The skill has no stage.
    NoStages,
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt { skill, stage, source } => {
                write!(f, "{skill}: the prompt of stage {} could not be rendered: {source}", stage + 1)?;
                if source.is_of_the_template() {
                    write!(f, "; fix its stages[{stage}].user in the policy")?;
                }
                Ok(())
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
            Self::SessionId { skill } => {
                write!(
                    f,
                    "{skill}: argument session_id: has a hidden character, or more than {SESSION_MAX} characters; use another id"
                )
            }
            Self::NoStages => f.write_str("the skill has no stages"),
        }
    }
}
