//! Skills as tool definitions.

use crds::{RoutingTable, table::Skill};
use rmcp::model::{Tool, ToolAnnotations};

/// The tools of a table, by name: the same policy always lists the same.
#[must_use]
pub fn list(table: &RoutingTable) -> Vec<Tool> {
    table.skills.values().map(|skill| tool(skill)).collect()
}

/// One skill as a tool. It changes nothing where it runs, and it speaks to models elsewhere.
#[must_use]
pub fn tool(skill: &Skill) -> Tool {
    let annotations = ToolAnnotations::new().read_only(true).open_world(true);
    Tool::new(skill.name.clone(), skill.description.clone(), skill.input_schema.clone()).with_annotations(annotations)
}

/// The tools' names in one line.
#[must_use]
pub fn names(table: &RoutingTable) -> String {
    table.skills.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
