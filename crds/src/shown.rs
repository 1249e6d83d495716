//! How texts from outside, addresses and errors are shown: in one line that cannot be forged, without secrets.

use std::error::Error;

/// A text with its hidden characters escaped, at most `max` characters of it.
#[must_use]
pub fn printable(text: &str, max: usize) -> String {
    text.chars().take(max).flat_map(escape).collect()
}

/// Escapes a hidden character.
pub(crate) fn escape(c: char) -> Vec<char> {
    if is_hidden(c) { c.escape_unicode().collect() } else { vec![c] }
}

/// Whether a character is not seen itself, but may end a line or change how its line is shown or read: control
/// characters with tab and line ends, the two other line ends of Unicode, and what Unicode calls default ignorable
/// (`Default_Ignorable_Code_Point`: bidirectional controls, joiners, fillers, variation selectors, tags) with the marks
/// of annotations. Other white space is not hidden.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The URL without its user part and its query, which may be secrets. Works on text that is not a URL, too: everything
/// between the scheme (if any) and the last `@`, and from the first `?` after it on, is dropped.
#[must_use]
pub fn url(text: &str) -> String {
    let text = without_user(text);
    text.split_once('?').map(|(text, _)| format!("{text}?…")).unwrap_or(text)
}

fn without_user(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return without_a_password(text) };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme.is_empty() { format!("…@{after}") } else { format!("{scheme}://…@{after}") }
}

/// Without an `@` a password may still be there: in the form `password=…`, or where the host is missing.
fn without_a_password(text: &str) -> String {
    if text.to_ascii_lowercase().contains("password") {
        return "…".into();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_string() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let after_colon = authority.rsplit_once(':').filter(|_| !authority.ends_with(']'));
    if after_colon.is_some_and(|(_, port)| !is_port(port)) { format!("{scheme}://…") } else { text.to_string() }
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
    fn a_password_is_never_shown_also_where_the_url_is_no_url() {
        for (text, expected) in [
            ("postgres://me:secret@db/brain", "postgres://…@db/brain"),
            ("postgres://me:secret", "postgres://…"),
            ("host=db password=secret", "…"),
            ("http://db:5432/x", "http://db:5432/x"),
            ("http://[::1]/x", "http://[::1]/x"),
            ("sqlite:/data/brain.db", "sqlite:/data/brain.db"),
        ] {
            assert_eq!(url(text), expected);
        }
    }

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
    fn what_is_not_seen_is_hidden_and_what_is_seen_is_not() {
        for (what, characters) in [
            ("control characters", "\0\u{7}\t\n\u{b}\u{c}\r\u{1b}\u{7f}\u{80}\u{85}\u{9f}"),
            ("line ends", "\u{2028}\u{2029}"),
            ("bidirectional controls", "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}"),
            ("without a width", "\u{ad}\u{34f}\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\u{206f}\u{feff}"),
            ("fillers", "\u{115f}\u{1160}\u{17b4}\u{17b5}\u{3164}\u{ffa0}"),
            ("variation selectors", "\u{180b}\u{fe00}\u{fe0f}\u{e0100}\u{e01ef}"),
            ("tags", "\u{e0001}\u{e0041}\u{e007f}"),
            ("annotations and formats", "\u{fff9}\u{fffb}\u{1bca0}\u{1d173}\u{1d17a}"),
        ] {
            for c in characters.chars() {
                assert!(is_hidden(c), "{what}: {c:?}");
                assert_eq!(printable(&format!("a{c}b"), 3), format!("a{}b", c.escape_unicode()), "{what}");
            }
        }
        for c in " \u{a0}\u{3000}aZ0<\"\\äß漢字مرحبا한\u{301}😀\u{fffc}\u{fffd}\u{10ffff}".chars() {
            assert!(!is_hidden(c), "{c:?}");
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
