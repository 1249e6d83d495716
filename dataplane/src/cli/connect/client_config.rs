//! The entry of `routing connect` in the settings of MCP clients. No I/O.

use clap::ValueEnum;
use serde_json::{Value, json};

const TOKEN: &str = "ROUTING_MCP_TOKEN";
/// Longer than `timeouts.total`, in seconds.
const PATIENCE: u32 = 120;

/// A client whose settings are known.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Client {
    /// Claude Code: .mcp.json of the project
    Claude,
    /// Codex: ~/.codex/config.toml
    Codex,
    /// Cursor: .cursor/mcp.json of the project
    Cursor,
    /// Visual Studio Code: .vscode/mcp.json of the project
    Vscode,
}

impl Client {
    /// The entry, as the client's file has it. The token stays in a variable of the user's.
    pub(super) fn entry(self, url: &str, program: &str) -> String {
        let arguments = ["connect", "--url", url];
        match self {
            Self::Claude => servers("mcpServers", stdio(program, arguments, "${ROUTING_MCP_TOKEN:-}")),
            Self::Cursor => servers("mcpServers", stdio(program, arguments, "${env:ROUTING_MCP_TOKEN}")),
            Self::Vscode => servers("servers", stdio(program, arguments, "${env:ROUTING_MCP_TOKEN}")),
            Self::Codex => codex(program, arguments),
        }
    }
}

fn servers(key: &str, entry: Value) -> String {
    format!("{:#}", json!({key: {"routing": entry}}))
}

fn stdio(program: &str, arguments: [&str; 3], token: &str) -> Value {
    json!({"type": "stdio", "command": program, "args": arguments, "env": {TOKEN: token}})
}

/// JSON's texts and lists are TOML's, too.
fn codex(program: &str, arguments: [&str; 3]) -> String {
    format!(
        "[mcp_servers.routing]\ncommand = {}\nargs = {}\nenv_vars = {}\ntool_timeout_sec = {PATIENCE}",
        json!(program),
        json!(arguments),
        json!([TOKEN])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_clients_entry_starts_this_program_and_holds_no_token() {
        for client in Client::value_variants() {
            let entry = client.entry("http://routing:30310/mcp", "/opt/routing");
            for part in ["/opt/routing", "connect", "http://routing:30310/mcp", TOKEN] {
                assert!(entry.contains(part), "{part} in {entry}");
            }
            let is_json = serde_json::from_str::<Value>(&entry).is_ok();
            assert_eq!(is_json, !matches!(client, Client::Codex), "{entry}");
        }
    }
}
