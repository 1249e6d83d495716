//! A call's arguments by reference: their names with their sizes, files by path, and short values as they are.

use std::collections::BTreeMap;

use crds::shown::printable;
use serde_json::{Map, Value};

/// Longest value that is repeated, in characters.
const SHORT: usize = 200;
/// Longest line, in characters.
const LINE_MAX: usize = 2_000;
/// Most characters of all lines.
const ALL_MAX: usize = 5_000;

/// One line for each argument; `filled` are those that the caller has not seen.
pub(super) fn lines(arguments: &Map<String, Value>, filled: &BTreeMap<String, String>) -> String {
    if arguments.is_empty() {
        return "- no arguments".into();
    }
    let mut left = ALL_MAX;
    let fits = |line: &String| {
        left = left.saturating_sub(line.chars().count() + 1);
        left > 0
    };
    let mut lines: Vec<String> = arguments.iter().map(|argument| line(argument, filled)).take_while(fits).collect();
    if lines.len() < arguments.len() {
        lines.push(format!("- and {} more arguments", arguments.len() - lines.len()));
    }
    lines.join("\n")
}

fn line((name, value): (&String, &Value), filled: &BTreeMap<String, String>) -> String {
    let what = match filled.get(name) {
        Some(read) => format!("{read}; it was read for you, and you have not seen it: read it yourself"),
        None => described(value),
    };
    let line = format!("- {}: {what}", printable(name, SHORT));
    let whole = line.chars().count() <= LINE_MAX;
    if whole { line } else { line.chars().take(LINE_MAX).chain(['…']).collect() }
}

fn described(value: &Value) -> String {
    match value {
        Value::String(text) if is_short(text) => repeated(text),
        Value::String(text) => format!("your argument, {}", characters(text)),
        Value::Array(items) if items.is_empty() => "an empty list".into(),
        Value::Array(items) => short_texts(items).unwrap_or_else(|| sized("a list", items.len(), value)),
        Value::Object(fields) => texts(fields).unwrap_or_else(|| sized("an object", fields.len(), value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A list of short texts, such as paths.
fn short_texts(items: &[Value]) -> Option<String> {
    let short = |item: &Value| item.as_str().filter(|text| is_short(text)).map(repeated);
    Some(items.iter().map(short).collect::<Option<Vec<_>>>()?.join(", "))
}

/// Texts by name, such as those of files by their path.
fn texts(fields: &Map<String, Value>) -> Option<String> {
    let one = |(name, text): (&String, &Value)| Some(format!("{} ({})", repeated(name), characters(text.as_str()?)));
    let all = fields.iter().map(one).collect::<Option<Vec<_>>>()?;
    (!all.is_empty()).then(|| format!("your argument: {}", all.join(", ")))
}

fn sized(what: &str, count: usize, value: &Value) -> String {
    format!("your argument, {what} of {}, {} of JSON", grouped(count), characters(&value.to_string()))
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= SHORT
}

/// In quotes and in one line, whatever is in it.
fn repeated(text: &str) -> String {
    printable(&Value::from(text).to_string(), LINE_MAX)
}

fn characters(text: &str) -> String {
    match text.chars().count() {
        1 => "1 character".into(),
        count => format!("{} characters", grouped(count)),
    }
}

/// `8123` as `8,123`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}
