//! Addresses as they may be shown.

/// The address without its user part, which may be a password. Works on text that is no URL too: everything
/// between the scheme (if any) and the last `@` is dropped.
#[must_use]
pub fn url(text: &str) -> String {
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
        ] {
            assert_eq!(super::url(text), shown);
        }
    }
}
