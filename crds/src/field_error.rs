//! Errors that name the field of the policy they are about.

use std::fmt;

use crate::shown::escape;

/// Longest piece of a value that an error repeats, in characters.
const SHOWN_VALUE_MAX: usize = 80;

/// One error in a policy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// Path of the field, for example `spec.skills[2].thresholds.floor`.
    pub path: String,
    /// The value as written, shortened; empty when the field is absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl FieldError {
    /// An error about a value. Control characters are escaped, so that a value cannot forge a log line.
    pub fn new(path: impl Into<String>, value: impl fmt::Display, message: impl Into<String>) -> Self {
        let value = value.to_string();
        let mut shown: String = value.chars().take(SHOWN_VALUE_MAX).flat_map(escape).collect();
        if value.chars().nth(SHOWN_VALUE_MAX).is_some() {
            shown.push('…');
        }
        Self { path: path.into(), value: shown, message: message.into() }
    }

    /// An error about a field that is absent, or whose value is not shown.
    pub fn absent(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), value: String::new(), message: message.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, value, message } = self;
        if value.is_empty() { write!(f, "{path}: {message}") } else { write!(f, "{path}: {value}: {message}") }
    }
}

/// Everything wrong with a policy, in the order of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(FieldError::to_string).collect();
        f.write_str(&lines.join("; "))
    }
}

impl std::error::Error for FieldErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shortened_and_cannot_forge_a_line() {
        let error = FieldError::new("spec.x", format!("a\nb\u{202e}{}", "c".repeat(200)), "is wrong");
        let line = error.to_string();
        assert!(line.starts_with("spec.x: a\\u{a}b\\u{202e}ccc"), "{line}");
        assert!(line.ends_with("…: is wrong"), "{line}");
        assert!(!line.contains('\n'));
    }
}
