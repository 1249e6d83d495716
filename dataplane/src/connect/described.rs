//! The tools as a client sees them through `routing connect`: what it fills need not be written out. No I/O.

use std::iter;

use crds::{
    arguments::COMPOSED,
    policy::{Attach, FromGit},
};
use serde_json::{Value, json};

use super::PROJECT_ROOT;
use crate::mcp::{MATERIAL, tools::ATTACH};

/// Begins what the built-in skills say of how material is passed over HTTP.
const NOT_HERE: &str = "The server can not see your disk";
/// In the place of [`MATERIAL`].
const READ_HERE: &str = "Files and changes are read from this project for you: name paths and revisions in the arguments, and do not \
write their text out.";

/// The entries of a tool, as far as this version knows them.
pub fn attach_of(tool: &Value) -> Vec<Attach> {
    let entries = tool["_meta"][ATTACH].as_array().into_iter().flatten();
    entries.filter_map(|entry| serde_json::from_value(entry.clone()).ok()).collect()
}

/// The server's instructions, as they hold here.
pub fn instructions(text: &str) -> String {
    text.replace(MATERIAL, READ_HERE)
}

/// Says in a tool's definition what is filled, and asks for no more than that leaves.
pub fn describe(tool: &mut Value) {
    let attach = attach_of(tool);
    if let Some(description) = tool["description"].as_str().filter(|_| !attach.is_empty()) {
        let filled: Vec<String> = attach.iter().map(|one| format!("`{}`: {}", one.argument, how(one))).collect();
        let about = description.split(NOT_HERE).next().unwrap_or_default().trim_end();
        tool["description"] = format!("{about} The project's files are read for you. {}", filled.join(" ")).into();
    }
    let Some(schema) = tool["inputSchema"].as_object_mut() else { return };
    for one in &attach {
        set_description(schema, &one.argument, &how(one));
    }
    set_description(schema, PROJECT_ROOT, "Filled in; leave it out.");
    let lists: Vec<&str> = attach.iter().filter_map(|one| one.from_files_in.as_deref()).collect();
    for list in &lists {
        set_description(schema, list, "Paths of files of this project. Their text is read for you.");
    }
    let is_filled = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        name == PROJECT_ROOT || lists.contains(&name) || attach.iter().any(|one| one.argument == name)
    };
    require_less(schema, &is_filled);
    for keyword in COMPOSED {
        let parts = schema.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten();
        parts.filter_map(Value::as_object_mut).for_each(|part| require_less(part, &is_filled));
    }
}

fn require_less(schema: &mut serde_json::Map<String, Value>, is_filled: &impl Fn(&Value) -> bool) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !is_filled(name));
    }
}

/// What the caller writes into an argument.
fn how(one: &Attach) -> String {
    match one {
        Attach { from_files_in: Some(list), .. } => format!("Filled with the text of the files in `{list}`; leave it out."),
        Attach { from_git: Some(FromGit::WorkingTree), .. } => {
            "A revision or range to compare, such as HEAD~1 or main...HEAD; left out, with no files named: what is not committed, new files included."
                .into()
        }
        Attach { from_git: Some(FromGit::Named), .. } => {
            "A revision or range to compare, such as HEAD~1, main...HEAD or working_tree.".into()
        }
        Attach { from_last_lines: Some(lines), .. } => {
            format!("The text, or the path of a file of this project, whose last {lines} lines are taken.")
        }
        _ => String::new(),
    }
}

fn set_description(schema: &mut serde_json::Map<String, Value>, argument: &str, text: &str) {
    if let Some(property) =
        schema.get_mut("properties").and_then(|all| all.get_mut(argument)).and_then(Value::as_object_mut)
    {
        property.insert("description".into(), text.into());
    }
}

/// What a call may leave out here and the server asks for.
pub fn complete(tool: &Value, folder: &str, arguments: &mut serde_json::Map<String, Value>) {
    let attach = attach_of(tool);
    let schema = &tool["inputSchema"];
    let parts = COMPOSED.iter().filter_map(|keyword| schema[*keyword].as_array()).flatten();
    let required = iter::once(schema).chain(parts).filter_map(|part| part["required"].as_array()).flatten();
    let required = required.filter_map(Value::as_str);
    for name in required.filter(|name| !arguments.contains_key(*name)).map(String::from).collect::<Vec<_>>() {
        let is_list = attach.iter().any(|one| one.from_files_in.as_deref() == Some(&name));
        let value = if name == PROJECT_ROOT {
            json!(folder)
        } else if is_list {
            json!([])
        } else {
            continue;
        };
        arguments.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool() -> Value {
        json!({"name": "code_review", "description": "Reviews. The server can not see your disk: pass all.", "inputSchema": {"type": "object",
            "required": ["project_root", "files", "goal"], "properties": {"project_root": {"type": "string"},
            "files": {"type": "array"}, "goal": {"type": "string", "description": "Kept."}, "contents": {}, "diff": {}}},
            "_meta": {"routing.hyperguild.io/attach": [{"argument": "contents", "fromFilesIn": "files"},
            {"argument": "diff", "fromGit": "WorkingTree"}, {"argument": "later", "fromTheFuture": true}]}})
    }

    #[test]
    fn what_is_filled_is_said_and_not_required() {
        let mut seen = tool();
        describe(&mut seen);
        let text = seen["description"].as_str().expect("text");
        assert!(
            text.starts_with("Reviews. The project's files are read for you.")
                && text.contains("`diff`: A revision or range"),
            "{text}"
        );
        assert_eq!(seen["inputSchema"]["required"], json!(["goal"]));
        assert_eq!(seen["inputSchema"]["properties"]["goal"]["description"], "Kept.");
        assert!(
            seen["inputSchema"]["properties"]["contents"]["description"]
                .as_str()
                .is_some_and(|d| d.contains("`files`"))
        );
        let mut other = json!({"name": "x", "description": "d", "inputSchema": {"required": ["project_root", "x"]}});
        describe(&mut other);
        assert_eq!(
            other,
            json!({"name": "x", "description": "d", "inputSchema": {"required": ["x"]}}),
            "it fills nothing else"
        );
    }

    #[test]
    fn what_is_filled_is_required_by_no_part_of_a_schema_and_filled_if_one_requires_it() {
        let parts = json!([{"required": ["project_root", "a"]}, {"required": ["project_root", "b"]}]);
        let schema = json!({"type": "object", "properties": {"project_root": {}, "a": {}, "b": {}}, "anyOf": parts});
        let served = json!({"name": "x", "description": "d", "inputSchema": schema});
        let mut seen = served.clone();
        describe(&mut seen);
        assert_eq!(seen["inputSchema"]["anyOf"], json!([{"required": ["a"]}, {"required": ["b"]}]));
        let mut arguments = serde_json::Map::from_iter([("b".to_string(), json!(1))]);
        complete(&served, "/home/me/x", &mut arguments);
        assert_eq!(json!(arguments), json!({"b": 1, "project_root": "/home/me/x"}));
    }

    #[test]
    fn a_call_is_completed_with_what_the_server_asks_for() {
        let mut arguments = serde_json::Map::from_iter([("goal".to_string(), json!("g"))]);
        complete(&tool(), "/home/me/x", &mut arguments);
        assert_eq!(json!(arguments), json!({"goal": "g", "project_root": "/home/me/x", "files": []}));
    }
}
