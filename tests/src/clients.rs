//! Real MCP clients: python `mcp`, TypeScript and Claude Code.

use std::{
    io::Write,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::{checkout, required};

/// The protocol eras that python `mcp` speaks.
pub const MODES: [&str; 2] = ["auto", "legacy"];

/// Runs the Python client until it ends.
///
/// # Panics
/// If the client fails.
#[must_use]
pub fn python(url: &str, mode: &str, arguments: &[&str]) -> Value {
    let output = python_command(url, mode, arguments).output().expect("python runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {err}{out}");
    serde_json::from_str(out.trim()).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// Starts the Python client; its standard output can be read.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn python_started(url: &str, mode: &str, arguments: &[&str]) -> Child {
    python_command(url, mode, arguments).stdout(Stdio::piped()).spawn().expect("python starts")
}

/// The Python client, not yet started.
#[must_use]
pub fn python_command(url: &str, mode: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("ROUTING_TEST_VENV").join("bin/python"));
    command.arg(checkout().join("tests/clients/mcp_client.py")).args(["--url", url, "--mode", mode]).args(arguments);
    command.stdin(Stdio::null());
    command
}

/// Runs the TypeScript client until it ends.
///
/// # Panics
/// If the client fails.
#[must_use]
pub fn typescript(url: &str, mode: &str, token: &str, arguments: &[&str]) -> Value {
    let output = typescript_command(url, mode, token, arguments).output().expect("node runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {err}{out}");
    serde_json::from_str(out.trim()).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// The TypeScript client, not yet started.
#[must_use]
pub fn typescript_command(url: &str, mode: &str, token: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(checkout().join("tests/clients/mcp_client.mjs")).args([url, mode, token]).args(arguments);
    command.env("MODULES", modules()).stdin(Stdio::null());
    command
}

/// The folder with `node_modules`: everything is installed next to Claude Code.
fn modules() -> PathBuf {
    let claude = required("ROUTING_TEST_CLAUDE");
    let modules = claude.ancestors().find(|folder| folder.ends_with("node_modules")).expect("a node_modules folder");
    modules.parent().unwrap_or(modules).to_path_buf()
}

/// The program of Codex for this machine.
///
/// # Panics
/// If it is not installed.
#[must_use]
pub fn codex_program() -> PathBuf {
    let vendor = modules().join("node_modules/@openai/codex-linux-x64/vendor");
    let vendor = if vendor.exists() { vendor } else { modules().join("node_modules/@openai/codex-linux-arm64/vendor") };
    let machine = std::fs::read_dir(&vendor).ok().and_then(|mut folders| folders.next()?.ok());
    let program = machine.map(|machine| machine.path().join("bin/codex")).filter(|program| program.is_file());
    program.unwrap_or_else(|| panic!("no Codex below {}: it is an optional package of @openai/codex", vendor.display()))
}

/// How many tokens a text has, by the public tokenizer of Claude's maker.
///
/// # Panics
/// If it cannot be counted.
#[must_use]
pub fn tokens(text: &str) -> usize {
    let mut node = Command::new("node")
        .arg(checkout().join("tests/clients/count_tokens.mjs"))
        .env("MODULES", modules())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    node.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let output = node.wait_with_output().expect("node ends");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Runs Claude Code with a home folder of its own.
///
/// # Panics
/// If it does not run.
#[must_use]
pub fn claude(home: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(required("ROUTING_TEST_CLAUDE"))
        .args(arguments)
        .env_clear()
        .envs([
            ("PATH", "/usr/bin:/bin"),
            ("TERM", "dumb"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ])
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .expect("Claude Code runs")
}
