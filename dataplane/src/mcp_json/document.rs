//! The file as JSON text of which only what is written changes: every other value stays as it is, to the digit.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

/// Key that an earlier tool left behind; it is removed.
const PENDING: &str = "_routing_pending";
/// Key of the servers.
const SERVERS: &str = "mcpServers";
/// Some editors begin a file with it; JSON does not allow it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The members of an object, in order, each once.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let (mut members, mut names) = (vec![], BTreeSet::new());
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("has {} twice; remove one", crds::shown::printable(&name, 100))));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// The file's text with the servers set; an empty text counts as an empty object.
///
/// # Errors
/// Why the text cannot be updated.
pub fn with_servers(before: &str, servers: &[(String, Value)]) -> Result<String, String> {
    let text = before.strip_prefix(BYTE_ORDER_MARK).unwrap_or(before);
    let mark = if text.len() < before.len() { BYTE_ORDER_MARK.to_string() } else { String::new() };
    let mut document = if text.trim().is_empty() { vec![] } else { members(text, None)? };
    let present = document.iter().find(|(name, _)| name == SERVERS);
    let mut entries = present.map_or_else(|| Ok(vec![]), |(_, value)| members(value, Some(SERVERS)))?;
    for (name, value) in servers {
        set(&mut entries, name, indented(&format!("{value:#}"), 2));
    }
    set(&mut document, SERVERS, object(&entries, 1));
    Ok(format!("{mark}{}\n", object(&document, 0)))
}

fn members(text: &str, within: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let place = within.map(|name| format!("has an {name} that ")).unwrap_or_default();
    match serde_json::from_str::<Members>(text) {
        Ok(Members(members)) => {
            let kept = members.into_iter().filter(|(name, _)| name != PENDING);
            Ok(kept.map(|(name, value)| (name, value.get().to_string())).collect())
        }
        Err(_) if serde_json::from_str::<&RawValue>(text).is_ok_and(|value| !value.get().starts_with('{')) => {
            Err(if within.is_some() { format!("{place}is not an object") } else { "is JSON, but not an object".into() })
        }
        Err(e) if e.is_data() => {
            let reason = e.to_string();
            Err(format!("{place}{}", reason.split(" at line ").next().unwrap_or(&reason)))
        }
        Err(e) => Err(format!("is not JSON (line {}, column {}); fix or move it", e.line(), e.column())),
    }
}

fn set(members: &mut Vec<(String, String)>, name: &str, value: String) {
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => members.push((name.to_string(), value)),
    }
}

/// An object whose members are indented by one more than `level`.
fn object(members: &[(String, String)], level: usize) -> String {
    let member =
        |(name, value): &(String, String)| format!("{}{}: {value}", "  ".repeat(level + 1), Value::from(name.as_str()));
    let members: Vec<String> = members.iter().map(member).collect();
    format!("{{\n{}\n{}}}", members.join(",\n"), "  ".repeat(level))
}

fn indented(text: &str, level: usize) -> String {
    text.replace('\n', &format!("\n{}", "  ".repeat(level)))
}
