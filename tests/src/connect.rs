//! `routing connect` as an MCP client starts it: lines of JSON on its input and output.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};

use crate::{mcp::CallResult, memory, program, waiting};

/// The running program.
pub struct Connect {
    child: tokio::process::Child,
    input: tokio::process::ChildStdin,
    output: Lines<BufReader<tokio::process::ChildStdout>>,
    next_id: u64,
}

impl Connect {
    /// Starts it in a project's folder; `variables` are all that it has besides a path.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(url: &str, project: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = tokio::process::Command::new(program::binary());
        command.args(["connect", "--url", url]).current_dir(project).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", project).envs(variables.iter().copied()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("routing connect starts");
        let (input, output) = (child.stdin.take().expect("its input"), child.stdout.take().expect("its output"));
        Self { child, input, output: BufReader::new(output).lines(), next_id: 1 }
    }

    /// Sends a message as it is.
    ///
    /// # Panics
    /// If the program is gone.
    pub async fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.expect("it reads");
    }

    /// The next message of the program.
    ///
    /// # Panics
    /// If none comes within a generous time, or it is no JSON.
    pub async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(waiting::LIMIT, self.output.next_line()).await.expect("a line in time");
        let line = line.expect("text").expect("the program runs");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    /// Sends a request and waits for its answer; other messages are passed over.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        loop {
            let message = self.next().await;
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Begins as clients of the earlier era do, with these roots if it has any.
    pub async fn initialize(&mut self, roots: Option<&[&Path]>) -> Value {
        let capabilities = if roots.is_some() { json!({"roots": {}}) } else { json!({}) };
        let info = json!({"name": "tests", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": info});
        let answer = self.request("initialize", params).await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        if let Some(roots) = roots {
            let asked = self.next().await;
            assert_eq!(asked["method"], "roots/list", "{asked}");
            let roots: Vec<Value> =
                roots.iter().map(|root| json!({"uri": format!("file://{}", root.display())})).collect();
            self.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": roots}})).await;
        }
        answer
    }

    /// Calls a tool.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> CallResult {
        CallResult(self.request("tools/call", json!({"name": tool, "arguments": arguments})).await["result"].clone())
    }

    /// Reads nothing more and sends nothing more; how it ended.
    ///
    /// # Panics
    /// If it does not end within a generous time.
    pub async fn hang_up(self) -> std::process::ExitStatus {
        let Self { mut child, input, output, .. } = self;
        drop(input);
        let ended = tokio::time::timeout(waiting::LIMIT, child.wait()).await.expect("it ends");
        drop(output);
        ended.expect("a status")
    }

    /// Most memory that it had, in MiB.
    #[must_use]
    pub fn peak_mib(&self) -> u64 {
        memory::peak_mib(self.child.id().expect("it runs"))
    }
}

/// Runs Git in a folder, as somebody.
///
/// # Panics
/// If it fails.
pub fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
    let run = |mut git: Command| -> Child { git.spawn().expect("git runs") };
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(who).args(arguments).stdout(Stdio::null());
    assert!(run(git).wait().expect("git ends").success(), "{arguments:?}");
}
