//! What a user says to us in a prompt.

/// A prompt for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// Whether the last answer was right; `more`: there are words for the model, too.
    Rated { right: bool, more: bool },
    /// Where calls go.
    Status,
}

const RIGHT: &str = "/routing:right";
const WRONG: &str = "/routing:wrong";
const STATUS: &str = "/routing:status";
/// Words of one letter; other letters are names in code.
const ONE_LETTER: [&str; 4] = ["a", "A", "i", "I"];

/// With these the sign is a number, of which the sentence says something.
const SAY_OF_A_NUMBER: [&str; 14] = [
    "is",
    "isn't",
    "are",
    "was",
    "means",
    "equals",
    "returns",
    "should",
    "shouldn't",
    "gets",
    "comes",
    "or",
    "becomes",
    "indicates",
];

/// Reads a prompt; none: it is for the model alone.
pub(super) fn read(prompt: &str) -> Option<Spoken> {
    let prompt = prompt.trim();
    command(prompt).or_else(|| sign(prompt))
}

fn command(prompt: &str) -> Option<Spoken> {
    let (name, words) = prompt.split_once(char::is_whitespace).unwrap_or((prompt, ""));
    let more = !words.trim().is_empty();
    match name {
        RIGHT => Some(Spoken::Rated { right: true, more }),
        WRONG => Some(Spoken::Rated { right: false, more }),
        STATUS => Some(Spoken::Status),
        _ => None,
    }
}

/// `+1` or `-1`, alone or followed by a space and words: no number, no code.
fn sign(prompt: &str) -> Option<Spoken> {
    let right = prompt.starts_with('+');
    let rest = prompt.strip_prefix("+1").or_else(|| prompt.strip_prefix("-1"))?;
    if rest.is_empty() {
        return Some(Spoken::Rated { right, more: false });
    }
    are_words(rest.strip_prefix(' ')?).then_some(Spoken::Rated { right, more: true })
}

/// Whether a text begins with a word, and its first line has no operator between spaces.
fn are_words(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let first = line.split_whitespace().next().unwrap_or_default();
    is_word(first) && !SAY_OF_A_NUMBER.contains(&first) && !line.split_whitespace().any(is_operator)
}

/// Letters, within them apostrophes and hyphens, behind them marks of a sentence.
fn is_word(token: &str) -> bool {
    let word = token.trim_end_matches([',', '.', '!', '?', ':', '…']);
    let letter = |c: char| c.is_alphabetic() || is_emoji(c) || matches!(c, '\'' | '’' | '-');
    let begins = word.chars().next().is_some_and(|c| c.is_alphabetic() || is_emoji(c));
    begins && word.chars().all(letter) && (word.chars().count() > 1 || !word.is_ascii() || ONE_LETTER.contains(&word))
}

/// Pictures and what joins them; signs of mathematics, arrows and currencies are none.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}' | '\u{200d}')
}

fn is_operator(token: &str) -> bool {
    token.chars().all(|c| "=<>+*/%&|^!".contains(c)) && !token.chars().all(|c| c == '!')
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rated(right: bool, more: bool) -> Option<Spoken> {
        Some(Spoken::Rated { right, more })
    }

    #[test]
    fn a_sign_alone_or_before_words_is_a_rating_and_numbers_and_code_are_not() {
        for (prompt, expected) in [
            ("+1", rated(true, false)),
            (" -1\n", rated(false, false)),
            ("+1 great", rated(true, true)),
            ("-1 ≤ x ≤ 1", None),
            ("-1 → 0, why?", None),
            ("-1 × 3", None),
            ("-1 °C is shown as 1 °C", None),
            ("-1 € discount", None),
            ("-1 – 2", None),
            ("-1 wrong cause", rated(false, true)),
            ("-1 that's off: the lock (not the queue) hangs", rated(false, true)),
            ("+1 Well done!\nNow write a test for x = y", rated(true, true)),
            ("-1 is returned by indexOf", None),
            ("-1 or 0?", None),
            ("-1 this is wrong", rated(false, true)),
            ("+1 für dich", rated(true, true)),
            ("+1 👍", rated(true, true)),
            ("+1 I agree", rated(true, true)),
            ("+10", None),
            ("+1.5", None),
            ("-1 + x", None),
            ("-1)", None),
            ("+1;", None),
            ("-1 2", None),
            ("-1 x", None),
            ("-1 if x == 0 else 1", None),
            ("-1 foo(bar)", None),
            ("-1 <= y", None),
            ("+1,", None),
            ("+1\ngreat", None),
            ("+1great", None),
            ("+1 `x`", None),
            ("the answer is +1", None),
            ("+ 1", None),
            ("<task-notification>+1</task-notification>", None),
            ("", None),
        ] {
            assert_eq!(read(prompt), expected, "{prompt:?}");
        }
    }

    #[test]
    fn the_commands_of_the_plugin_say_the_same() {
        for (prompt, expected) in [
            ("/routing:right", rated(true, false)),
            ("/routing:wrong", rated(false, false)),
            ("/routing:wrong it is the lock", rated(false, true)),
            ("/routing:wrong 2 + 2", rated(false, true)),
            ("/routing:status", Some(Spoken::Status)),
            ("/routing:statusquo", None),
            ("/routing:rightly", None),
            ("/other:right", None),
        ] {
            assert_eq!(read(prompt), expected, "{prompt:?}");
        }
    }
}
