//! Skills as tool definitions.

use crds::{RoutingTable, table::Skill};
use rmcp::model::{Tool, ToolAnnotations};

/// The tools of a table, ordered by name, so that the same policy always gives the same list.
pub fn list(table: &RoutingTable) -> Vec<Tool> {
    table.skills.values().map(|skill| tool(skill)).collect()
}

/// One skill as a tool: read-only, because it changes nothing, and open-world, because it calls models elsewhere.
pub fn tool(skill: &Skill) -> Tool {
    let annotations = ToolAnnotations::new().read_only(true).open_world(true);
    Tool::new(skill.name.clone(), skill.description.clone(), skill.input_schema.clone()).with_annotations(annotations)
}

/// The tools' names, separated by commas.
pub fn names(table: &RoutingTable) -> String {
    table.skills.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
