//! Skills as tool definitions.

use crds::{RoutingTable, table::Skill};
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::json;

use super::instructions;

/// Claude Code loads a tool with this mark from the start.
const ALWAYS_LOAD: &str = "anthropic/alwaysLoad";
/// What Claude Code's search for tools compares with what its model looks for.
const SEARCH_HINT: &str = "anthropic/searchHint";
/// Longest hint, in characters.
const SEARCH_HINT_MAX: usize = 300;
/// Up to this many characters Claude Code gives its model a result as it is.
const RESULT_SIZE: &str = "anthropic/maxResultSizeChars";
/// The most that Claude Code takes.
const RESULT_SIZE_MAX: u64 = 500_000;
/// The arguments that `routing connect` fills.
pub const ATTACH: &str = "routing.hyperguild.io/attach";

/// The tools of a table, ordered by name, so that the same policy always gives the same list.
pub fn list(table: &RoutingTable) -> Vec<Tool> {
    table.skills.values().map(|skill| tool(skill, table.always_load)).collect()
}

/// One skill as a tool: read-only, because it changes nothing, and open-world, because it calls models elsewhere.
pub fn tool(skill: &Skill, always_load: bool) -> Tool {
    let annotations = ToolAnnotations::new().read_only(true).open_world(true);
    let mut tool = Tool::new(skill.name.clone(), skill.description.clone(), skill.input_schema.clone())
        .with_title(skill.title.clone())
        .with_annotations(annotations);
    tool.meta = Some(meta(skill, always_load));
    tool
}

fn meta(skill: &Skill, always_load: bool) -> MetaObject {
    let hint = format!("{}: {}", skill.title, instructions::when(skill));
    let mut meta = MetaObject::new();
    meta.insert(ALWAYS_LOAD.into(), always_load.into());
    meta.insert(SEARCH_HINT.into(), instructions::one_line(&hint, SEARCH_HINT_MAX).into());
    meta.insert(RESULT_SIZE.into(), RESULT_SIZE_MAX.into());
    if !skill.attach.is_empty() {
        meta.insert(ATTACH.into(), json!(skill.attach));
    }
    meta
}

/// The tools' names, separated by commas.
pub fn names(table: &RoutingTable) -> String {
    table.skills.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use crds::{Document, builtin::BuiltinPrompts, compile};

    use super::*;

    /// The table of a policy with these fields more.
    pub(in crate::mcp) fn table(more: &str) -> RoutingTable {
        let text = format!(
            "apiVersion: routing.hyperguild.io/v1alpha1\nkind: RoutingPolicy\nmetadata: {{name: p}}\nspec:\n  upstream: {{url: \
             http://m}}\n  models: {{local: {{name: l}}, claude: {{name: c}}}}\n{more}"
        );
        let document = Document::parse(&text).expect("a policy");
        compile(&document.policy.spec, &BuiltinPrompts::default()).expect("compiles")
    }

    #[test]
    fn a_policy_sets_what_clients_show_of_a_skill() {
        let more = "  client: {alwaysLoad: false}\n  skills: [{name: debug, title: Find it, whenToUse: \"When it fails. Not for typing errors.\"}]\n";
        let tools = list(&table(more));
        let meta = tools[0].meta.clone().expect("meta");
        assert_eq!(tools[0].title.as_deref(), Some("Find it"));
        assert_eq!((&meta[ALWAYS_LOAD], &meta[RESULT_SIZE]), (&json!(false), &json!(500_000)));
        assert_eq!(meta[SEARCH_HINT], "Find it: When it fails. Not for typing errors.");
        assert_eq!(meta[ATTACH][0], json!({"argument": "contents", "fromFilesIn": "files"}));
    }
}
