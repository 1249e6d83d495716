//! Claude Code without a terminal.

use std::{
    fs::File,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::ClaudeCode;

/// Longest run: Claude Code starts slowly on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
}

/// A prompt that was worked on.
#[derive(Debug)]
pub struct Headless {
    /// What Claude Code told while it worked.
    pub events: Vec<Value>,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed to standard error.
    pub stderr: String,
}

impl Headless {
    /// The events of a type: `system`, `assistant`, `user`, `result`.
    #[must_use]
    pub fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["type"] == kind).collect()
    }

    /// The text that a user of `claude -p` reads at the end; empty if there is none.
    #[must_use]
    pub fn result(&self) -> &str {
        self.of_type("result").last().and_then(|event| event["result"].as_str()).unwrap_or_default()
    }

    /// What the first event says of the server `routing`: `connected`, `failed`, `needs-auth`, …
    #[must_use]
    pub fn server_status(&self) -> &str {
        let servers = self.events.iter().find_map(|event| event["mcp_servers"].as_array());
        let ours = servers.into_iter().flatten().find(|server| server["name"] == "routing");
        ours.and_then(|server| server["status"].as_str()).unwrap_or_default()
    }
}

impl ClaudeCode {
    /// Works on a prompt, with more arguments, and waits for the end.
    ///
    /// # Panics
    /// If it does not end within two minutes, or prints what is not JSON.
    pub async fn headless(&self, prompt: &str, arguments: &[&str]) -> Headless {
        let fixed = ["-p", prompt, "--output-format", "stream-json", "--verbose"];
        let Ended { status, stdout, stderr } = self.run(&[&fixed, arguments].concat()).await;
        let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{stderr}"));
        Headless { events: stdout.lines().map(event).collect(), status, stderr }
    }

    /// Runs a command of Claude Code, for example `mcp list`, to its end.
    ///
    /// # Panics
    /// If it does not end within two minutes.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut child = self.started(arguments, &out, &err);
        let ended = tokio::time::timeout(LIMIT, child.wait()).await;
        let [stdout, stderr] = [out, err].map(|file| std::fs::read_to_string(file).expect("text"));
        let Ok(status) = ended else { panic!("{arguments:?} does not end:\n{stdout}\n{stderr}") };
        Ended { status: status.expect("a status"), stdout, stderr }
    }

    /// It is killed when this is dropped.
    fn started(&self, arguments: &[&str], out: &Path, err: &Path) -> Child {
        Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.project())
            .stdin(Stdio::null())
            .stdout(File::create(out).expect("a file"))
            .stderr(File::create(err).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("Claude Code starts")
    }
}
