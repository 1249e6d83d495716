//! Pages of the documentation whose middle is measured: a test compares it with what it found, or writes it.

use crate::checkout;

/// In front of what is measured, and behind it.
const MARKS: [&str; 2] = ["<!-- measured: make conformance writes this -->\n", "<!-- end of what is measured -->\n"];

/// Begins a page that is not there yet with these lines, if pages are written; see [`keep`].
///
/// # Panics
/// If it cannot be written.
pub fn begin(page: &str, lines: &str) {
    let file = checkout().join(page);
    if is_writing() && !file.exists() {
        let text = [lines, "\n\n", MARKS[0], MARKS[1]].concat();
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{page}: {error}"));
    }
}

/// Compares the measured part of a page with this; with `ROUTING_WRITE_PAGES` set, writes it.
///
/// # Panics
/// If there is no such page with both marks, or it differs.
pub fn keep(page: &str, measured: &str) {
    let file = checkout().join(page);
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{page}: {error}: make conformance begins that of a new version"));
    let (before, rest) = text.split_once(MARKS[0]).unwrap_or_else(|| panic!("{page} has no line {}", MARKS[0]));
    let (written, after) = rest.split_once(MARKS[1]).unwrap_or_else(|| panic!("{page} has no line {}", MARKS[1]));
    let expected = format!("\n{}\n\n", measured.trim());
    if is_writing() {
        let text = [before, MARKS[0], &expected, MARKS[1], after].concat();
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{page}: {error}"));
    } else {
        assert_eq!(written, expected, "{page} is not what was measured: make conformance writes it");
    }
}

fn is_writing() -> bool {
    std::env::var_os("ROUTING_WRITE_PAGES").is_some_and(|set| !set.is_empty())
}
