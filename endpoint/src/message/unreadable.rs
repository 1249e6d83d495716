//! Counts the values of a message, and names the member that cannot be read: half of a surrogate pair, a number that is
//! too large, too deep a nesting.

use std::{collections::BTreeMap, fmt};

use crds::shown::printable;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::Reason;
use crate::{INVALID_PARAMS, INVALID_REQUEST};

/// Deepest member that an error names.
const DEPTH: usize = 8;
/// Longest path that an error repeats, in characters.
const SHOWN: usize = 100;

/// The number of values in a message, and the proof that all of them can be read.
pub(super) fn count(message: &RawValue) -> Result<usize, Reason> {
    if let Ok(Values(count)) = serde_json::from_str(message.get()) {
        return Ok(count);
    }
    let (path, reason) = find(message, "", DEPTH).unwrap_or_default();
    let code = if path.starts_with("params") { INVALID_PARAMS } else { INVALID_REQUEST };
    let member = if path.is_empty() { "the message".to_string() } else { printable(&path, SHOWN) };
    Err((code, format!("{member}: {reason}")))
}

/// An error without its position, which counts from the member.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    printable(text.split_once(" at line ").map_or(text.as_str(), |(reason, _)| reason), SHOWN)
}

/// The path of the innermost member that cannot be read, and why.
fn find(value: &RawValue, path: &str, depth: usize) -> Option<(String, String)> {
    let error = serde_json::from_str::<Values>(value.get()).err()?;
    let inner = || {
        if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()) {
            let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            return members.iter().find_map(|(name, value)| find(value, &below(name), depth - 1));
        }
        let entries: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
        entries.iter().enumerate().find_map(|(i, value)| find(value, &format!("{path}[{i}]"), depth - 1))
    };
    let found = if depth == 0 { None } else { inner() };
    Some(found.unwrap_or_else(|| (path.to_string(), reason(&error))))
}

/// Reads any JSON as MCP does, and keeps only the number of its values.
struct Values(usize);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Count)
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = Values;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_str<E>(self, _: &str) -> Result<Values, E> {
        Ok(Values(1))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Values, A::Error> {
        let mut count = 1;
        while let Some(Values(more)) = entries.next_element()? {
            count += more;
        }
        Ok(Values(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Values, A::Error> {
        let mut count = 1;
        while let Some((Values(name), Values(value))) = members.next_entry()? {
            count += name + value;
        }
        Ok(Values(count))
    }
}
