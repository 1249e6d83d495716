//! The real Codex, without a login, with a model that answers by a script (`stand_in::responses`).

use std::{path::PathBuf, process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{clients, stand_in::responses::ResponsesApi};

/// Generous: it takes a few seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Codex with a home and a project of its own.
pub struct Codex {
    folder: TempDir,
}

impl Codex {
    /// With this model, and these lines about the MCP server `routing` in its settings.
    ///
    /// # Panics
    /// If its folders cannot be made.
    #[must_use]
    pub fn new(model: &ResponsesApi, server: &str) -> Self {
        let codex = Self { folder: tempfile::tempdir().expect("a folder") };
        let settings = format!(
            "model = \"scripted\"\nmodel_provider = \"scripted\"\napproval_policy = \"never\"\nsandbox_mode = \"danger-full-access\"\n\
             [model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{}\"\nwire_api = \"responses\"\n{server}\n",
            model.url()
        );
        std::fs::create_dir_all(codex.home().join(".codex")).expect("a folder");
        std::fs::create_dir(codex.project()).expect("a folder");
        std::fs::write(codex.home().join(".codex/config.toml"), settings).expect("written");
        codex
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder that it works in.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Runs one prompt to its end; returns its events.
    ///
    /// # Panics
    /// If it does not run, or takes too long.
    pub async fn run(&self, prompt: &str) -> Vec<Value> {
        let mut command = Command::new(clients::codex_program());
        command.args(["exec", "--skip-git-repo-check", "--json", prompt]).current_dir(self.project());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home()).env("TMPDIR", self.folder.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output =
            tokio::time::timeout(LIMIT, command.output()).await.expect("Codex ends in time").expect("Codex runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
