//! A policy document: the parsed text, its hash, and the positions of its fields.

mod form;
mod locate;

use std::fmt;

use serde_json::Value;

use crate::{FieldError, RoutingPolicy, hash, shown::printable};

/// Largest document, in bytes: the limit of a ConfigMap.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Longest parser message that is repeated, in characters.
const MESSAGE_MAX: usize = 400;

/// A parsed policy.
#[derive(Debug, Clone)]
pub struct Document {
    /// The policy, with its defaults filled in.
    pub policy: RoutingPolicy,
    /// Identifies the config; see [`hash::config_hash`].
    pub hash: String,
    /// Paths of fields that this version does not know.
    pub unknown_fields: Vec<String>,
    form_errors: Vec<FieldError>,
}

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Position {
    /// Line, counted from 1.
    pub line: u64,
    /// Column, counted from 1.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The text is larger than a ConfigMap can be.
    #[error("is {0} bytes; at most {MAX_BYTES} are allowed")]
    TooLarge(usize),
    /// The text is not YAML, or does not have the form of the resource.
    #[error("{message}")]
    Parse {
        /// Where the parser failed, if it knows.
        position: Option<Position>,
        /// What the parser reports, without the position.
        message: String,
    },
    /// One or more fields do not have the form of the resource.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Form(Vec<FieldError>),
    /// The text is another resource.
    #[error("is {found}, not a RoutingPolicy of routing.hyperguild.io/v1alpha1")]
    OtherKind {
        /// `apiVersion` and `kind` as written.
        found: String,
    },
}

impl DocumentError {
    /// Where in the document the error is.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        if let Self::Parse { position, .. } = self { *position } else { None }
    }
}

impl Document {
    /// Parses the text of a policy.
    ///
    /// # Errors
    /// Why the text is not a RoutingPolicy. Wrong values are reported by [`crate::compile()`].
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_BYTES {
            return Err(DocumentError::TooLarge(text.len()));
        }
        let raw: Value = serde_saphyr::from_str_with_options(text, yaml()).map_err(|e| parse_error(&e))?;
        check_kind(&raw)?;
        let unknown_fields = unknown_fields(&raw);
        let form_errors = form::errors(&raw);
        let policy = serde_saphyr::from_str_with_options(text, yaml()).map_err(|e| {
            let wrong = [unknown_field_errors(&unknown_fields), form_errors.clone()].concat();
            if form_errors.is_empty() { parse_error(&e) } else { DocumentError::Form(wrong) }
        })?;
        Ok(Self { policy, hash: hash::config_hash(&raw), unknown_fields, form_errors })
    }

    /// What the API server would refuse in addition to the `other` errors of the same policy.
    #[must_use]
    pub fn form_errors_beside(&self, other: &[FieldError]) -> Vec<FieldError> {
        form::not_covered(&self.form_errors, other)
    }

    /// The unknown fields as errors.
    #[must_use]
    pub fn unknown_field_errors(&self) -> Vec<FieldError> {
        unknown_field_errors(&self.unknown_fields)
    }
}

fn unknown_field_errors(paths: &[String]) -> Vec<FieldError> {
    let message = "unknown field; remove it, or correct its name";
    paths.iter().map(|path| FieldError::absent(printable(path, MESSAGE_MAX), message)).collect()
}

/// The paths of fields of a policy that this version does not know, at every depth.
#[must_use]
pub fn unknown_fields(raw: &Value) -> Vec<String> {
    form::unknown_fields(raw)
}

/// The position of a field in a document, or of the nearest field around it that is there.
#[must_use]
pub fn position(text: &str, path: &str) -> Option<Position> {
    locate::position(text, path)
}

/// Only `true` and `false` are booleans, as they are for kubectl.
fn yaml() -> serde_saphyr::Options {
    serde_saphyr::options! { strict_booleans: true }
}

fn check_kind(raw: &Value) -> Result<(), DocumentError> {
    let field = |name: &str| raw.get(name).and_then(Value::as_str).unwrap_or("(none)");
    if (field("apiVersion"), field("kind")) == ("routing.hyperguild.io/v1alpha1", "RoutingPolicy") {
        return Ok(());
    }
    let found = format!("apiVersion {} kind {}", field("apiVersion"), field("kind"));
    Err(DocumentError::OtherKind { found: printable(&found, MESSAGE_MAX) })
}

fn parse_error(error: &serde_saphyr::Error) -> DocumentError {
    let position = error.location().map(|at| Position { line: at.line(), column: at.column() });
    let message = error.without_snippet().to_string();
    // The position is shown in front, and the parser's options mean nothing to the reader.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
    DocumentError::Parse { position, message: printable(message, MESSAGE_MAX) }
}

#[cfg(test)]
mod tests;
