//! Who says how an answer turned out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// Where a verdict comes from, strongest first: of several verdicts on one decision the strongest counts.
#[derive(
    Serialize, Deserialize, JsonSchema, IntoStaticStr, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Source {
    /// A person.
    Human,
    /// Tests, a build, a merge or a revert.
    Ci,
    /// A thread of a review that a change resolved.
    Review,
    /// The calling model.
    #[default]
    Agent,
    /// A machine check of the answer.
    Check,
    /// A model that judged the answer.
    Grader,
    /// The same question, asked again at once.
    Implicit,
}

impl Source {
    /// All of them, strongest first.
    pub const ALL: [Self; 7] =
        [Self::Human, Self::Ci, Self::Review, Self::Agent, Self::Check, Self::Grader, Self::Implicit];

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// The name in policies, entries and queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The sources that count unless a policy lists others: all that say it in so many words.
#[must_use]
pub fn counted_by_default() -> Vec<Source> {
    Source::ALL.into_iter().filter(|source| *source != Source::Implicit).collect()
}
