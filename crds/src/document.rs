//! A policy document: the parsed text, its hash, and the positions of its fields.

mod form;
mod locate;
mod select;

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

pub use self::{locate::Positions, select::DOCUMENTS_MAX};
use crate::{FieldError, RoutingPolicy, hash, policy::ConfigMapKeyRef, shown::printable};

/// Largest document, in bytes: the limit of a ConfigMap.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting of fields and lists.
pub const DEPTH_MAX: usize = 48;
/// Longest parser message that is repeated, in characters.
const MESSAGE_MAX: usize = 400;

/// A parsed policy.
#[derive(Debug, Clone)]
pub struct Document {
    /// The policy, with its defaults filled in.
    pub policy: RoutingPolicy,
    /// Identifies the config; see [`hash::config_hash`].
    pub hash: String,
    /// The texts of ConfigMaps that are in the same file, and in the policy's namespace.
    pub config_maps: BTreeMap<ConfigMapKeyRef, String>,
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
    /// The text has no fields.
    #[error("holds no policy: it is empty, or has comments only; see docs/examples/policy.yaml")]
    Empty,
    /// The text has more documents than are read to find the policy among them.
    #[error("has {0} documents; at most {DOCUMENTS_MAX} are read; give the policy a file of its own")]
    TooManyDocuments(usize),
    /// Several documents of the text are policies; the number of the first line of each.
    #[error("holds {} policies, at the lines {}; give each a file of its own", .0.len(), joined(.0))]
    SeveralPolicies(Vec<usize>),
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

fn joined(lines: &[usize]) -> String {
    lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl DocumentError {
    /// Where in the document the error is.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        if let Self::Parse { position, .. } = self { *position } else { None }
    }
}

impl Document {
    /// Parses the text of a policy, which may have other documents beside it.
    ///
    /// # Errors
    /// Why the text is not a RoutingPolicy. Wrong values are reported by [`crate::compile()`].
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_BYTES {
            return Err(DocumentError::TooLarge(text.len()));
        }
        let selected = select::policy(text)?;
        let raw: Value = serde_saphyr::from_str_with_options(&selected.text, yaml()).map_err(|e| parse_error(&e))?;
        if !is_policy(&raw) {
            return Err(DocumentError::OtherKind { found: kind_of(&raw) });
        }
        let unknown_fields = unknown_fields(&raw);
        let given = form::without_nulls(&raw);
        let form_errors = form::errors(&given);
        let policy = serde_json::from_value(given).map_err(|e| {
            let wrong = [unknown_field_errors(&unknown_fields), form_errors.clone()].concat();
            if form_errors.is_empty() { not_of_the_form(&e) } else { DocumentError::Form(wrong) }
        })?;
        let config_maps = selected.config_maps(&raw);
        Ok(Self { policy, hash: hash::config_hash(&raw), config_maps, unknown_fields, form_errors })
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
    let error = |path: &String| {
        let message = match form::nearest_field(path) {
            Some(near) => format!("unknown field; did you mean {near}?"),
            None => "unknown field; remove it, or correct its name".to_string(),
        };
        FieldError::absent(printable(path, MESSAGE_MAX), message)
    };
    paths.iter().map(error).collect()
}

/// The paths of fields of a policy that this version does not know, at every depth.
#[must_use]
pub fn unknown_fields(raw: &Value) -> Vec<String> {
    form::unknown_fields(raw)
}

/// Only `true` and `false` are booleans, as they are for kubectl. To kubectl, 03210 is an octal number: no number here.
fn yaml() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
    }
}

fn is_policy(raw: &Value) -> bool {
    let field = |name: &str| raw.get(name).and_then(Value::as_str);
    (field("apiVersion"), field("kind")) == (Some("routing.hyperguild.io/v1alpha1"), Some("RoutingPolicy"))
}

/// What a document is, for an error.
fn kind_of(raw: &Value) -> String {
    let field = |name: &str| raw.get(name).and_then(Value::as_str).unwrap_or("(none)");
    let found = match raw {
        Value::Object(_) => format!("apiVersion {} kind {}", field("apiVersion"), field("kind")),
        Value::Array(_) => "a list".to_string(),
        _ => "a single value".to_string(),
    };
    printable(&found, MESSAGE_MAX)
}

/// The schema and the types differ, which no input is known for.
fn not_of_the_form(error: &serde_json::Error) -> DocumentError {
    let message = format!("does not have the form of a RoutingPolicy: {error}");
    DocumentError::Parse { position: None, message: printable(&message, MESSAGE_MAX) }
}

fn parse_error(error: &serde_saphyr::Error) -> DocumentError {
    let position = error.location().map(|at| Position { line: at.line(), column: at.column() });
    let message = error.without_snippet().to_string();
    // The position is shown in front, and the parser's options mean nothing to the reader.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
    let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message);
    let too_deep = format!("is nested deeper than {DEPTH_MAX} levels; flatten it");
    let message = if message.contains("Depth {") { &too_deep } else { message };
    DocumentError::Parse { position, message: printable(message, MESSAGE_MAX) }
}

#[cfg(test)]
mod tests;
