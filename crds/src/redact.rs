//! URLs without the parts that may hold secrets.

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

#[cfg(test)]
mod tests {
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
            assert_eq!(super::url(text), shown);
        }
    }
}
