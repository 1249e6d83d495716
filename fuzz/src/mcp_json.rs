//! A `.mcp.json` that exists: what is of others stays byte for byte, and writing it again changes nothing.

use std::collections::BTreeMap;

use dataplane::received::mcp_json;
use serde_json::{Value, json, value::RawValue};

use crate::text::assert_is_a_line;

/// Longest reason that a file is left alone for, in characters.
const REASON_MAX: usize = 2_000;
/// Key of an earlier tool, which is removed.
const PENDING: &str = "_routing_pending";

type Members = BTreeMap<String, Box<RawValue>>;

/// The text of the file.
pub fn check(input: &[u8]) {
    let Ok(before) = std::str::from_utf8(input) else { return };
    let ours = json!({"type": "http", "url": "http://127.0.0.1:3210/mcp"});
    let servers = [("routing".to_string(), ours.clone())];
    match mcp_json(before, &servers) {
        Ok(after) => {
            assert_eq!(mcp_json(&after, &servers).as_deref(), Ok(after.as_str()));
            kept(before, &after, &ours);
        }
        Err(reason) => assert_is_a_line(&reason, REASON_MAX),
    }
}

fn kept(before: &str, after: &str, ours: &Value) {
    let before = before.strip_prefix('\u{feff}').unwrap_or(before);
    let (before, after) = (members(before), members(after.strip_prefix('\u{feff}').unwrap_or(after)));
    let servers = |all: &Members| all.get("mcpServers").map(|servers| members(servers.get())).unwrap_or_default();
    let (servers_before, servers_after) = (servers(&before), servers(&after));
    assert_others_are_kept(&before, &after, "mcpServers");
    assert_others_are_kept(&servers_before, &servers_after, "routing");
    assert_eq!(serde_json::from_str::<Value>(servers_after["routing"].get()).ok().as_ref(), Some(ours));
}

fn members(text: &str) -> Members {
    if text.trim().is_empty() { Members::new() } else { serde_json::from_str(text).expect("an object") }
}

fn assert_others_are_kept(before: &Members, after: &Members, but: &str) {
    let others = |all: &Members| -> BTreeMap<String, String> {
        let others = all.iter().filter(|(name, _)| *name != but && *name != PENDING);
        others.map(|(name, value)| (name.clone(), value.get().to_string())).collect()
    };
    assert_eq!(others(before), others(after));
}
