//! A file can hold several documents, separated by `---`: the policy is the one of its kind among them. ConfigMaps
//! beside it are those that it refers to.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{DocumentError, Position, is_policy, kind_of, parse_error, yaml};
use crate::policy::ConfigMapKeyRef;

/// Most documents of a file that are not empty.
pub const DOCUMENTS_MAX: usize = 100;

/// One document of a file.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Lines of the file before it.
    lines_before: usize,
    text: &'a str,
}

/// A policy and what is beside it in its file.
pub(super) struct Selected<'a> {
    /// The text of the policy, with an empty line for each line before it, so that its positions are those in the file.
    pub(super) text: Cow<'a, str>,
    beside: Vec<Value>,
}

impl Selected<'_> {
    /// The texts of the ConfigMaps beside the policy, of those in its namespace.
    pub(super) fn config_maps(&self, policy: &Value) -> BTreeMap<ConfigMapKeyRef, String> {
        let namespace = |document: &Value| document.pointer("/metadata/namespace").cloned().unwrap_or_default();
        let maps = self.beside.iter().filter(|other| is_config_map(other) && namespace(other) == namespace(policy));
        maps.flat_map(texts).collect()
    }
}

fn is_config_map(document: &Value) -> bool {
    document["apiVersion"] == "v1" && document["kind"] == "ConfigMap"
}

fn texts(config_map: &Value) -> impl Iterator<Item = (ConfigMapKeyRef, String)> + '_ {
    let name = config_map.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let data = config_map["data"].as_object().into_iter().flatten();
    data.filter_map(move |(key, text)| {
        Some((ConfigMapKeyRef { name: name.into(), key: key.clone() }, text.as_str()?.to_string()))
    })
}

/// Finds the policy of a file.
///
/// # Errors
/// Why no document of the file can be taken as the policy.
pub(super) fn policy(file: &str) -> Result<Selected<'_>, DocumentError> {
    let parts: Vec<Part<'_>> = parts(file).into_iter().filter(|part| !is_empty(part.text)).collect();
    match parts[..] {
        [] => Err(DocumentError::Empty),
        [only] => Ok(Selected { text: at_its_place(only), beside: vec![] }),
        _ if parts.len() > DOCUMENTS_MAX => Err(DocumentError::TooManyDocuments(parts.len())),
        _ => only_policy(&parts),
    }
}

fn only_policy<'a>(parts: &[Part<'a>]) -> Result<Selected<'a>, DocumentError> {
    let mut policies = vec![];
    let mut beside: Vec<Value> = vec![];
    for part in parts {
        let document: Value =
            serde_saphyr::from_str_with_options(part.text, yaml()).map_err(|e| shifted(parse_error(&e), *part))?;
        if is_policy(&document) { policies.push(*part) } else { beside.push(document) }
    }
    match policies[..] {
        [only] => Ok(Selected { text: at_its_place(only), beside }),
        [] => {
            let found = beside.iter().map(kind_of).collect::<Vec<_>>().join(", and ");
            Err(DocumentError::OtherKind { found })
        }
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
