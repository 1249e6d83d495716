//! The command line of the MCP inspector.

use std::{
    pin::pin,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tests::{required, waiting};

use super::{Ask, ran};

/// Its exit code for the result of a tool that is an error is not 0; what it prints is the result all the same.
pub async fn ask(
    options: &[&str],
    url: &str,
    token: &str,
    ask: Ask<'_>,
    now: impl Future<Output = ()>,
) -> Result<Value, String> {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = command(url, token, ask, home.path());
    command.args(options);
    if matches!(ask, Ask::Cancel(..)) {
        return interrupted(command, now).await;
    }
    let (_, out, all) = ran(command, async {}).await;
    let result: Value = serde_json::from_str(out.trim()).map_err(|error| format!("{error}: {all}"))?;
    match ask {
        Ask::List => Ok(result["tools"].as_array().ok_or(all)?.iter().map(|tool| tool["name"].clone()).collect()),
        _ if result["content"].is_array() => Ok(result),
        _ => Err(all),
    }
}

fn command(url: &str, token: &str, ask: Ask<'_>, home: &std::path::Path) -> Command {
    let folder = required("ROUTING_TEST_INSPECTION");
    let mut command = Command::new(folder.join("node"));
    command.arg(folder.join("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    command.args(["--cli", url, "--transport", "http"]).env("HOME", home).current_dir(home);
    if !token.is_empty() {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    match ask {
        Ask::List => command.args(["--method", "tools/list"]),
        Ask::Call(tool, arguments) | Ask::Cancel(tool, arguments) => {
            let arguments: Map<String, Value> = serde_json::from_str(arguments).expect("JSON");
            let shown = |value: Value| value.as_str().map_or_else(|| json!(value).to_string(), String::from);
            let pairs = arguments.into_iter().map(|(name, value)| format!("{name}={}", shown(value)));
            command.args(["--method", "tools/call", "--tool-name", tool]);
            command.args(pairs.flat_map(|pair| ["--tool-arg".to_string(), pair]))
        }
    };
    command
}

/// It has no command that ends a call, but a user who presses Ctrl-C.
async fn interrupted(command: Command, now: impl Future<Output = ()>) -> Result<Value, String> {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().expect("the inspector starts");
    let process = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("it runs");
    let mut running = pin!(child.wait_with_output());
    tokio::select! {
        ended = &mut running => return Err(format!("it ended by itself: {ended:?}")),
        () = now => {}
    }
    kill_process(process, Signal::INT).expect("it runs");
    let ended = tokio::time::timeout(2 * waiting::LIMIT, running).await.expect("it ends in time").expect("its output");
    if ended.status.success() {
        Err(format!("it was not interrupted: {ended:?}"))
    } else {
        Ok(json!({"cancelled": "by Ctrl-C"}))
    }
}
