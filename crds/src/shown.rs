//! How texts from outside, addresses and errors are shown: in one line that cannot be forged, without secrets.

use std::error::Error;

/// A text with control and bidirectional characters escaped, at most `max` characters of it.
#[must_use]
pub fn printable(text: &str, max: usize) -> String {
    text.chars().take(max).flat_map(escape).collect()
}

/// Escapes what would change how a line is shown: control and bidirectional characters.
pub(crate) fn escape(c: char) -> Vec<char> {
    let hidden =
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if hidden { c.escape_unicode().collect() } else { vec![c] }
}

/// The URL without its user part and its query, which may be secrets. Works on text that is not a URL, too: everything
/// between the scheme (if any) and the last `@`, and from the first `?` after it on, is dropped.
#[must_use]
pub fn url(text: &str) -> String {
    let text = without_user(text);
    text.split_once('?').map(|(text, _)| format!("{text}?…")).unwrap_or(text)
}

fn without_user(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_string() };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() { format!("…@{after}") } else { format!("{scheme}://…@{after}") }
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    causes.fold(String::new(), |line, cause| match line {
        // Some errors say what caused them already.
        line if !line.is_empty() && line.ends_with(&cause) => line,
        line if line.is_empty() => cause,
        line => format!("{line}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_is_not_shown() {
        for (text, shown) in [
            ("http://host:4000", "http://host:4000"),
            ("http://me:secret@host:4000/v1", "http://…@host:4000/v1"),
            ("http://me:se@cret@host", "http://…@host"),
            ("me:secret@host", "…@host"),
            ("http://host/?api_key=secret", "http://host/?…"),
            ("http://me:se?cret@host", "http://…@host"),
        ] {
            assert_eq!(url(text), shown);
        }
    }

    #[test]
    fn an_error_is_shown_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::fmt::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("repeats: {0}")]
        struct Repeats(#[source] Outer);
        let inner = std::fmt::Error;
        assert_eq!(chain(&Outer(inner)), format!("outer: {inner}"));
        assert_eq!(chain(&Repeats(Outer(inner))), format!("repeats: outer: {inner}"));
    }
}
