//! Verdicts on answers, and which of several counts. No I/O.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Who says how an answer turned out, the strongest first: of several verdicts on one decision that of the strongest
/// source counts.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A person.
    Human,
    /// Tests, a build, a merge or a revert.
    Ci,
    /// A review thread that a change resolved.
    Review,
    /// The model that asked.
    #[default]
    Agent,
    /// A check of the answer by a program.
    Check,
    /// A model that graded it.
    Grader,
    /// The same question, asked again at once.
    Implicit,
}

impl Source {
    /// All of them, the strongest first.
    pub const ALL: [Self; 7] =
        [Self::Human, Self::Ci, Self::Review, Self::Agent, Self::Check, Self::Grader, Self::Implicit];

    /// As it is stored, sent and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Ci => "ci",
            Self::Review => "review",
            Self::Agent => "agent",
            Self::Check => "check",
            Self::Grader => "grader",
            Self::Implicit => "implicit",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// Its letter in a [`Pattern`].
    fn letter(self) -> char {
        match self {
            Self::Human => 'h',
            Self::Ci => 'c',
            Self::Review => 'r',
            Self::Agent => 'a',
            Self::Check => 'k',
            Self::Grader => 'g',
            Self::Implicit => 'i',
        }
    }
}

/// What a source says about an answer.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was right and useful.
    Pass,
    /// It was not.
    Fail,
    /// Unknown: it counts neither way.
    Skip,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Skip];

    /// As it is stored, sent and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }

    fn sign(self) -> char {
        match self {
            Self::Pass => '+',
            Self::Fail => '-',
            Self::Skip => '~',
        }
    }
}

/// The sources that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Default for Sources {
    /// All but `implicit`, which is often wrong.
    fn default() -> Self {
        Self(Source::ALL.into_iter().filter(|source| *source != Source::Implicit).collect())
    }
}

impl Sources {
    /// Reads names that are separated by commas.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn parse(text: &str) -> Result<Self, &str> {
        text.split(',').map(|name| Source::parse(name).ok_or(name)).collect::<Result<_, _>>().map(Self)
    }
}

/// The verdicts that stand on one decision, one of each source at most, as a short text: `h+a-` if a person says pass
/// and the asking model fail. Answers with the same pattern are counted together, whatever the sources that count.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// Of these verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = (Source, Verdict)>) -> Self {
        let ordered: BTreeMap<Source, Verdict> = verdicts.into_iter().collect();
        Self(ordered.into_iter().flat_map(|(source, verdict)| [source.letter(), verdict.sign()]).collect())
    }

    /// Reads a stored one.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_string())
    }

    /// The verdict that counts with its source: that of the strongest source among those that count.
    #[must_use]
    pub fn counted(&self, Sources(sources): &Sources) -> Option<(Source, Verdict)> {
        let verdicts: Vec<char> = self.0.chars().collect();
        let of = |source: Source| {
            let sign = verdicts.chunks_exact(2).find(|pair| pair[0] == source.letter())?[1];
            Verdict::ALL.into_iter().find(|verdict| verdict.sign() == sign).map(|verdict| (source, verdict))
        };
        Source::ALL.into_iter().filter(|source| sources.contains(source)).find_map(of)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_pair_of_sources_the_stronger_counts_and_only_among_those_that_count() {
        for (i, stronger) in Source::ALL.into_iter().enumerate() {
            for weaker in Source::ALL.into_iter().skip(i + 1) {
                for (first, second) in [(Verdict::Pass, Verdict::Fail), (Verdict::Skip, Verdict::Pass)] {
                    let pattern = Pattern::of([(weaker, second), (stronger, first)]);
                    let all = Sources(Source::ALL.into());
                    assert_eq!(pattern.counted(&all), Some((stronger, first)), "{pattern}");
                    assert_eq!(pattern.counted(&Sources(vec![weaker])), Some((weaker, second)), "{pattern}");
                    let neither = Source::ALL.into_iter().filter(|source| ![stronger, weaker].contains(source));
                    assert_eq!(pattern.counted(&Sources(neither.collect())), None, "{pattern}");
                    assert_eq!(Pattern::stored(&pattern.to_string()), pattern);
                }
            }
        }
        assert_eq!(Pattern::default().counted(&Sources::default()), None);
    }

    #[test]
    fn every_name_is_read_as_it_is_written_and_implicit_counts_only_when_it_is_listed() {
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(source));
        }
        let implicit = Pattern::of([(Source::Implicit, Verdict::Fail)]);
        assert_eq!(implicit.counted(&Sources::default()), None);
        let listed = Sources::parse("human,implicit").expect("names");
        assert_eq!(implicit.counted(&listed), Some((Source::Implicit, Verdict::Fail)));
        assert_eq!(Sources::parse("human,humans"), Err("humans"));
        assert_eq!(Sources::parse(""), Err(""));
    }
}
