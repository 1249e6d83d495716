//! What holds for texts that are shown.

use crds::shown::is_hidden;

/// Stands for a secret, a prompt or an answer in inputs. No program has this word itself.
pub const CANARY: &str = "CANARY";

/// Asserts that a text is one line, of bounded length, whose form nothing hidden changes.
pub fn assert_is_a_line(text: &str, most_characters: usize) {
    let hidden = text.chars().find(|c| is_hidden(*c));
    assert_eq!(hidden, None, "{text:?}");
    let length = text.chars().count();
    assert!(length <= most_characters, "{length} characters: {text:.200}");
}

/// Asserts that a text has nothing that must stay secret.
pub fn assert_has_no_canary(text: &str) {
    assert!(!text.contains(CANARY), "{text}");
}
