//! A file can hold several documents, separated by `---`: the policy is the one of its kind among them.

use std::borrow::Cow;

use serde_json::Value;

use super::{DocumentError, Position, is_policy, kind_of, parse_error, yaml};

/// Most documents of a file that are not empty.
pub const DOCUMENTS_MAX: usize = 100;

/// One document of a file.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Lines of the file before it.
    lines_before: usize,
    text: &'a str,
}

/// The text of the policy, with an empty line for each line before it, so that its positions are those in the file.
///
/// # Errors
/// Why no document of the file can be taken as the policy.
pub(super) fn policy(file: &str) -> Result<Cow<'_, str>, DocumentError> {
    let parts: Vec<Part<'_>> = parts(file).into_iter().filter(|part| !is_empty(part.text)).collect();
    match parts[..] {
        [] => Err(DocumentError::Empty),
        [only] => Ok(at_its_place(only)),
        _ if parts.len() > DOCUMENTS_MAX => Err(DocumentError::TooManyDocuments(parts.len())),
        _ => only_policy(&parts).map(at_its_place),
    }
}

fn only_policy<'a>(parts: &[Part<'a>]) -> Result<Part<'a>, DocumentError> {
    let mut policies = vec![];
    let mut others = vec![];
    for part in parts {
        let document: Value =
            serde_saphyr::from_str_with_options(part.text, yaml()).map_err(|e| shifted(parse_error(&e), *part))?;
        if is_policy(&document) { policies.push(*part) } else { others.push(kind_of(&document)) }
    }
    match policies[..] {
        [only] => Ok(only),
        [] => Err(DocumentError::OtherKind { found: others.join(", and ") }),
        _ => Err(DocumentError::SeveralPolicies(policies.iter().map(|part| part.first_line()).collect())),
    }
}

impl Part<'_> {
    /// The line of the file with the first field.
    fn first_line(&self) -> usize {
        let skipped = self.text.lines().take_while(|line| is_blank(line) || is_marker(line, "---"));
        self.lines_before + skipped.count() + 1
    }
}

fn at_its_place(part: Part<'_>) -> Cow<'_, str> {
    match part.lines_before {
        0 => Cow::Borrowed(part.text),
        lines => Cow::Owned("\n".repeat(lines) + part.text),
    }
}

fn shifted(error: DocumentError, part: Part<'_>) -> DocumentError {
    let DocumentError::Parse { position: Some(at), message } = error else { return error };
    let line = at.line + part.lines_before as u64;
    DocumentError::Parse { position: Some(Position { line, ..at }), message }
}

/// A marker ends a document wherever it is, also within a text (YAML 1.2, 9.1.2).
fn parts(file: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let (mut start, mut lines_before) = (0, 0);
    let mut end = 0;
    for (i, line) in file.split_inclusive('\n').enumerate() {
        if is_marker(line, "---") {
            parts.push(Part { lines_before, text: &file[start..end] });
            (start, lines_before) = (end, i);
        }
        end += line.len();
        if is_marker(line, "...") {
            parts.push(Part { lines_before, text: &file[start..end] });
            (start, lines_before) = (end, i + 1);
        }
    }
    parts.push(Part { lines_before, text: &file[start..] });
    parts
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.is_empty() || line.starts_with('#')
}

/// Whether a document has neither fields nor text.
fn is_empty(text: &str) -> bool {
    text.lines().all(|line| match line.strip_prefix("---") {
        Some(rest) if is_marker(line, "---") => is_blank(rest),
        _ => is_blank(line) || is_marker(line, "..."),
    })
}
