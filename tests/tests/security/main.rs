//! `docs/security.md`: its tables name tests that exist, for every row of the lists that it answers. And what no other file
//! of tests shows.

mod callers;
mod core_dumps;
mod pods;

use std::collections::BTreeMap;

use tests::{checkout, sources::Tests};

/// The rows that the page must have: of the MCP specification (2026-07-28), OWASP's MCP Top 10 and its Top 10 for LLM
/// applications (2025), and for Kubernetes.
const ROWS: [&str; 43] = [
    "MCP origin",
    "MCP host",
    "MCP library",
    "MCP token passthrough",
    "MCP confused deputy",
    "MCP budgets",
    "MCP sessions",
    "MCP server-side requests",
    "MCP token comparison",
    "MCP empty token",
    "MCP token rotation",
    "MCP open endpoint",
    "MCP01",
    "MCP02",
    "MCP03",
    "MCP04",
    "MCP05",
    "MCP06",
    "MCP07",
    "MCP08",
    "MCP09",
    "MCP10",
    "LLM01",
    "LLM02",
    "LLM03",
    "LLM04",
    "LLM05",
    "LLM06",
    "LLM07",
    "LLM08",
    "LLM09",
    "LLM10",
    "K8s pods",
    "K8s image",
    "K8s rights",
    "K8s references",
    "K8s network",
    "K8s API",
    "K8s status",
    "K8s advisories",
    "K8s signatures",
    "K8s supply chain",
    "K8s secrets",
];

/// Every table with a column of tests: the first column, and the tests that a row names.
fn tables() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(checkout().join("docs/security.md")).expect("the page");
    let (mut rows, mut column) = (vec![], None);
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match (line.starts_with('|'), column) {
            (false, _) => column = None,
            (true, None) => column = Some(cells.iter().position(|cell| *cell == "test")),
            (true, Some(Some(column))) if !line.starts_with("|--") => {
                let names = cells.get(column).copied().unwrap_or_default();
                rows.push((cells[0].to_string(), names.split('`').skip(1).step_by(2).map(str::to_string).collect()));
            }
            (true, Some(_)) => {}
        }
    }
    rows
}

#[test]
fn every_row_of_the_page_names_tests_that_exist() {
    let existing = Tests::of_this_checkout();
    let rows = tables();
    assert!(rows.len() >= 70, "{}", rows.len());
    for (row, tests) in rows {
        let missing: Vec<&String> = tests.iter().filter(|test| !existing.has(test)).collect();
        assert!(missing.is_empty(), "{row}: {missing:?} are not tests");
        assert!(!tests.is_empty() || row == "LLM08", "{row} has no test");
    }
}

#[test]
fn every_list_that_the_page_answers_is_answered_row_by_row() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (row, _) in tables() {
        *found.entry(row).or_default() += 1;
    }
    let missing: Vec<&str> = ROWS.into_iter().filter(|row| found.get(*row) != Some(&1)).collect();
    assert!(missing.is_empty(), "not there, or twice: {missing:?}");
}

/// Versions of rmcp before 1.4.0 take requests for any host (GHSA-89vp-x53w-74fx).
#[test]
fn the_mcp_library_is_none_with_a_known_hole() {
    let lock: toml::Value =
        toml::from_str(&std::fs::read_to_string(checkout().join("Cargo.lock")).expect("the lock file")).expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let versions = packages.iter().filter(|package| package["name"].as_str() == Some("rmcp"));
    let versions: Vec<&str> = versions.filter_map(|package| package["version"].as_str()).collect();
    let major = |version: &&str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    assert!(!versions.is_empty() && versions.iter().all(|version| major(version) >= Some(3)), "{versions:?}");
}
