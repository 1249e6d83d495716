//! Verdicts on answers, and which of several counts. No I/O.

use std::{collections::BTreeMap, fmt};

pub use crds::policy::Source;
use crds::policy::evidence::source::counted_by_default;
use serde::{Deserialize, Serialize};

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
    /// As those of a policy that lists none.
    fn default() -> Self {
        Self(counted_by_default())
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

    /// Whether a source counts.
    #[must_use]
    pub fn has(&self, source: Source) -> bool {
        self.0.contains(&source)
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
        Self(ordered.into_iter().flat_map(|(source, verdict)| [letter(source), verdict.sign()]).collect())
    }

    /// Reads a stored one.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_string())
    }

    /// The verdict that counts with its source: that of the strongest source among those that count.
    #[must_use]
    pub fn counted(&self, Sources(sources): &Sources) -> Option<(Source, Verdict)> {
        let counts = |source: &Source| sources.contains(source);
        Source::ALL.into_iter().filter(counts).find_map(|source| Some((source, self.verdict(source)?)))
    }

    /// What a source says, if it says anything.
    fn verdict(&self, source: Source) -> Option<Verdict> {
        let verdicts: Vec<char> = self.0.chars().collect();
        let sign = verdicts.chunks_exact(2).find(|pair| pair[0] == letter(source))?[1];
        Verdict::ALL.into_iter().find(|verdict| verdict.sign() == sign)
    }

    /// Each other source that says pass or fail about an answer about which this one does, and whether it says the same.
    pub fn compared_with(&self, source: Source) -> impl Iterator<Item = (Source, bool)> {
        let decided = |source: Source| self.verdict(source).filter(|verdict| *verdict != Verdict::Skip);
        let others = Source::ALL.into_iter().filter(move |other| *other != source);
        let said = decided(source);
        others.filter_map(move |other| Some((other, decided(other)? == said?)))
    }
}

/// The letter of a source in a pattern.
fn letter(source: Source) -> char {
    match source {
        Source::Human => 'h',
        Source::Ci => 'c',
        Source::Review => 'r',
        Source::Agent => 'a',
        Source::Check => 'k',
        Source::Grader => 'g',
        Source::Implicit => 'i',
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
