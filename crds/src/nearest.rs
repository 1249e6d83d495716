//! The known name that a misspelt one was probably meant to be.

use crate::shown::printable;

/// Longest name that is shown, in characters.
const SHOWN: usize = 64;

/// How many letters may differ: one for a short name, a third of a longer one.
fn tolerance(word: &str) -> usize {
    (word.chars().count() / 3).clamp(1, 3)
}

/// The known name that is nearest to `word`, if one is near. Upper and lower case count as the same.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::osa_distance(&word.to_lowercase(), &name.to_lowercase());
    let by_distance = known.into_iter().map(|name| (distance(name), name));
    by_distance.filter(|(distance, _)| *distance <= tolerance(word)).min_by_key(|(distance, _)| *distance).map(|n| n.1)
}

/// The end of a sentence about an unknown name: `; did you mean NAME?`, or nothing if none is near.
#[must_use]
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|name| format!("; did you mean {}?", printable(name, SHOWN))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised_and_another_word_is_not() {
        let known = ["thresholds", "route", "name", "Claude"];
        for (word, expected) in [
            ("treshold", Some("thresholds")),
            ("tresholds", Some("thresholds")),
            ("ruote", Some("route")),
            ("claude", Some("Claude")),
            ("Name", Some("name")),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
