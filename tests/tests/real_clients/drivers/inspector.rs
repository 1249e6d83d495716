//! The command line of the MCP inspector.

use std::process::Command;

use serde_json::{Map, Value, json};
use tests::required;

use super::{Ask, ran};

/// Its exit code for the result of a tool that is an error is not 0; what it prints is the result all the same.
pub async fn ask(url: &str, token: &str, ask: Ask<'_>) -> Result<Value, String> {
    let home = tempfile::tempdir().expect("a folder");
    let (_, out, all) = ran(command(url, token, ask, home.path()), async {}).await;
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
