//! The version that the programs show: in `--version`, `/status`, the metric `…_build_info`, and to their peers.

/// The value of `ROUTING_VERSION` at compile time, otherwise the package's version.
pub const VERSION: &str = chosen(option_env!("ROUTING_VERSION"), env!("CARGO_PKG_VERSION"));

/// Longest version: the limit of an image's tag.
const MAX_BYTES: usize = 128;

/// An empty value counts as unset: a build argument that was not given is empty.
const fn chosen(given: Option<&'static str>, of_package: &'static str) -> &'static str {
    match given {
        Some(given) if !given.is_empty() => {
            assert!(
                is_plain(given),
                "ROUTING_VERSION: must be 1 to 128 letters, digits or . _ - +, such as 0.1.0-rc.1"
            );
            given
        }
        _ => of_package,
    }
}

/// Whether the version can be a header's value, a Kubernetes label and a metric's label.
const fn is_plain(text: &str) -> bool {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() && !matches!(bytes[at], b'.' | b'_' | b'-' | b'+') {
            return false;
        }
        at += 1;
    }
    bytes.len() <= MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_given_version_counts_and_an_empty_one_counts_as_unset() {
        assert_eq!(chosen(Some("2.0.0-rc.1+a_b"), "0.1.0"), "2.0.0-rc.1+a_b");
        assert_eq!((chosen(Some(""), "0.1.0"), chosen(None, "0.1.0")), ("0.1.0", "0.1.0"));
    }

    #[test]
    fn a_version_has_nothing_that_a_header_or_a_label_could_not_hold() {
        assert!(is_plain(VERSION) && is_plain(&"1".repeat(MAX_BYTES)));
        for text in ["1 0", "1\n0", "\"1\"", "1.0\u{e9}", &"1".repeat(MAX_BYTES + 1)] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
