//! What the sources of this checkout define.

use std::{collections::BTreeSet, process::Command};

use crate::checkout;

/// The names of all functions, tests among them.
///
/// # Panics
/// If git cannot search.
#[must_use]
pub fn functions() -> BTreeSet<String> {
    let found = Command::new("git")
        .args(["grep", "--no-index", "-hoE", "fn [a-z0-9_]+", "--", "*.rs"])
        .current_dir(checkout())
        .output()
        .expect("git runs");
    let found = String::from_utf8(found.stdout).expect("UTF-8");
    found.lines().filter_map(|line| line.strip_prefix("fn ")).map(str::to_string).collect()
}
