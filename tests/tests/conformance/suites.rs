//! Runs a suite against a server and reads what it found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use tests::required;
use tokio::process::Command;

/// Generous: a run takes a few seconds.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);
/// The time at the end of a folder's name, as in `-2026-07-28T12-00-00-000Z`.
const TIME_CHARS: usize = 25;

/// A check of the messages that the alpha suite adds to every scenario: that it passes says nothing of the scenario.
const OF_EVERY_SCENARIO: &str = "wire-schema-valid";

/// A published suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    Stable,
    Alpha,
}

impl Suite {
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Alpha => "alpha",
        }
    }

    fn folder(self) -> std::path::PathBuf {
        required("ROUTING_TEST_INSPECTION").join(format!("node_modules/conformance-{}", self.name()))
    }

    /// Its version.
    pub fn version(self) -> String {
        let text = fs::read_to_string(self.folder().join("package.json")).expect("its package");
        let package: Value = serde_json::from_str(&text).expect("JSON");
        package["version"].as_str().expect("a version").to_string()
    }
}

/// Of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many checks passed.
    pub passed: usize,
    /// The ids of checks that did not.
    pub not_passed: BTreeSet<String>,
}

/// By scenario.
pub type Measured = BTreeMap<String, Found>;

/// Runs all scenarios of a suite that are about a version of the protocol.
pub async fn run(suite: Suite, version: &str, url: &str) -> Measured {
    let results = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(required("ROUTING_TEST_INSPECTION").join("node"));
    command.arg(suite.folder().join("dist/index.js")).args(["server", "--url", url, "--suite", "all"]);
    command.args(["--spec-version", version, "--output-dir"]).arg(results.path());
    let running = command.current_dir(results.path()).kill_on_drop(true).output();
    let output = tokio::time::timeout(LIMIT, running).await.expect("the suite ends in time").expect("the suite runs");
    let measured = read(results.path());
    // Its exit code is 1 as soon as anything does not pass.
    let printed = || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!measured.is_empty(), "{suite:?} {version}: {}", printed());
    measured
}

fn read(results: &Path) -> Measured {
    let folders = fs::read_dir(results).expect("a folder").map(|entry| entry.expect("an entry"));
    let checks = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("UTF-8");
        let scenario = name.strip_prefix("server-")?.get(..name.len() - "server-".len() - TIME_CHARS)?.to_string();
        let checks = fs::read_to_string(entry.path().join("checks.json")).ok()?;
        Some((scenario, found(&serde_json::from_str::<Vec<Value>>(&checks).expect("checks"))))
    };
    folders.filter_map(checks).collect()
}

fn found(checks: &[Value]) -> Found {
    let mut found = Found::default();
    for check in checks {
        let id = check["id"].as_str().unwrap_or_default();
        match check["status"].as_str() {
            Some("SUCCESS") => found.passed += usize::from(id != OF_EVERY_SCENARIO),
            // What a check tells, or does not apply to.
            Some("INFO" | "SKIPPED") => {}
            // A check may be made several times.
            _ => _ = found.not_passed.insert(id.to_string()),
        }
    }
    found
}

impl Found {
    /// Whether the scenario passed: at least one check did, and none did not.
    pub fn is_passed(&self) -> bool {
        self.passed > 0 && self.not_passed.is_empty()
    }
}
