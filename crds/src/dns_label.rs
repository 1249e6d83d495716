//! The form of names that become parts of host names, label values and volume names (RFC 1123).

/// Longest label, in characters.
pub const MAX: usize = 63;

/// Whether a text is 1 to `max` of a-z, 0-9 and '-', starting and ending with a letter or digit.
#[must_use]
pub fn is_dns_label(text: &str, max: usize) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=max).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_letters_digits_and_inner_hyphens() {
        for (text, is_label) in [
            ("a", true),
            ("0-9", true),
            ("abc", true),
            ("abcd", false),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a.b", false),
            ("ä", false),
        ] {
            assert_eq!(is_dns_label(text, 3), is_label, "{text}");
        }
    }
}
