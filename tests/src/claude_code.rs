//! The real Claude Code, as a user has it, with a model that answers by a script (`stand_in::messages`).
//!
//! It has a home and a project of its own, and no variable of whoever runs the tests. The questions that it asks a new
//! user are answered beforehand.

mod headless;
mod hooks;
mod plugin;
mod terminal;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::{
    headless::{Ended, Headless},
    terminal::{Key, Terminal},
};
use crate::{policy::merged, required, stand_in::messages::MessagesApi};

/// A key that nothing checks; Claude Code remembers its last 20 characters as approved.
const API_KEY: &str = "key-of-the-tests";

/// Claude Code with its folders and variables.
pub struct ClaudeCode {
    program: PathBuf,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

impl ClaudeCode {
    /// A new user's Claude Code, whose model is this stand-in.
    ///
    /// # Panics
    /// If there is no Claude Code; the message says how to get it.
    #[must_use]
    pub fn new(model: &MessagesApi) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let claude = Self { program: required("ROUTING_TEST_CLAUDE"), folder, variables: BTreeMap::new() };
        claude.answer_questions();
        let [home, temporary] = [claude.home(), claude.folder.path().into()].map(|folder| folder.display().to_string());
        [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", home.as_str()),
            ("TMPDIR", temporary.as_str()),
            ("CLAUDE_CODE_TMPDIR", temporary.as_str()),
            ("TERM", "xterm-256color"),
            ("ANTHROPIC_BASE_URL", model.url().as_str()),
            ("ANTHROPIC_API_KEY", API_KEY),
            ("DISABLE_AUTOUPDATER", "1"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ]
        .into_iter()
        .fold(claude, |claude, (name, value)| claude.variable(name, value))
    }

    /// Sets a variable; the last value counts.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// What it is started with, for a shell that starts it by its name.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.variables.clone().into_iter()
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder that it works in.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn project_file(&self, path: &str, text: &str) {
        write(&self.project().join(path), text);
    }

    /// Writes a file in the home.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn home_file(&self, path: &str, text: &str) {
        write(&self.home().join(path), text);
    }

    /// Gives the project the server `routing` at this URL, in `.mcp.json`; `extra` are more fields of its entry, for
    /// example `{"headers": {…}}` or `{"alwaysLoad": true}`.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn mcp_http(&self, url: &str, extra: Value) {
        let entry = merged(json!({"type": "http", "url": url}), extra);
        self.project_file(".mcp.json", &json!({"mcpServers": {"routing": entry}}).to_string());
    }

    /// Writes the project's settings.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn settings(&self, settings: &Value) {
        self.project_file(".claude/settings.json", &settings.to_string());
    }

    /// The first start, the key, the trust in the folder, its servers, and the mode of permissions.
    fn answer_questions(&self) {
        std::fs::create_dir_all(self.project()).expect("a folder");
        let project = self.project().display().to_string();
        let known = json!({
            "hasCompletedOnboarding": true,
            "hasSeenAutoDefaultNudge": true,
            "customApiKeyResponses": {"approved": [API_KEY], "rejected": []},
            "projects": {project: {"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true}},
        });
        self.home_file(".claude.json", &known.to_string());
        // Not `auto`: that mode has its checks made by the real API.
        let settings = json!({"enableAllProjectMcpServers": true, "permissions": {"defaultMode": "default"}});
        self.home_file(".claude/settings.json", &settings.to_string());
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}
