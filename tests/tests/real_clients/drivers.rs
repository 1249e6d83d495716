//! Runs the clients: each is asked the same and says what it got in the same form.

mod inspector;
mod rmcp;

use std::process::{Command, Stdio};

use serde_json::Value;
use tests::{checkout, clients, required, waiting};

/// How a client is run.
#[derive(Clone, Copy)]
pub enum Driver {
    /// With a mode of `mcp_client.mjs`.
    TypeScript(&'static str),
    /// With a mode of `mcp_client.py`.
    Python(&'static str),
    FastMcp,
    Go,
    Rmcp {
        /// Begins with `initialize`, not with `server/discover`.
        initialize: bool,
    },
    Inspector,
}

/// What a client is asked to do.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// Answered with the names of the tools.
    List,
    /// Calls a tool with arguments in JSON; answered with `isError`, `content` and, if it can, the messages of `progress`.
    Call(&'a str, &'a str),
    /// Calls it and cancels that at the first progress message; answered with `cancelled`.
    Cancel(&'a str, &'a str),
}

impl<'a> Ask<'a> {
    fn words(self) -> Vec<&'a str> {
        match self {
            Self::List => vec!["list"],
            Self::Call(tool, arguments) => vec!["call", tool, arguments],
            Self::Cancel(tool, arguments) => vec!["cancel", tool, arguments],
        }
    }
}

impl Driver {
    /// What the client says, or all that it printed when it failed.
    pub async fn ask(self, url: &str, token: &str, ask: Ask<'_>) -> Result<Value, String> {
        match self {
            Self::Rmcp { initialize } => rmcp::ask(url, token, initialize, ask).await,
            Self::Inspector => inspector::ask(url, token, ask).await,
            Self::TypeScript(mode) => said(clients::typescript_command(url, mode, token, &ask.words())).await,
            Self::Python(mode) => {
                let mut arguments = vec!["--token", token];
                arguments.extend(ask.words());
                if matches!(ask, Ask::Call(..)) {
                    arguments.push("--progress");
                }
                said(clients::python_command(url, mode, &arguments)).await
            }
            Self::FastMcp => {
                let mut command = Command::new(required("ROUTING_TEST_FASTMCP").join("bin/python"));
                command.arg(checkout().join("tests/clients/fastmcp/client.py"));
                said(given(command, url, token, ask)).await
            }
            Self::Go => said(given(Command::new(required("ROUTING_TEST_GO_CLIENT")), url, token, ask)).await,
        }
    }
}

fn given(mut command: Command, url: &str, token: &str, ask: Ask<'_>) -> Command {
    command.args([url, token]).args(ask.words());
    command
}

/// What a program prints on standard output, if it succeeds.
async fn said(command: Command) -> Result<Value, String> {
    let (succeeded, out, all) = ran(command).await;
    if !succeeded {
        return Err(all);
    }
    serde_json::from_str(out.trim()).map_err(|error| format!("{error}: {all}"))
}

/// Whether a program succeeded, its standard output, and all that it printed.
async fn ran(command: Command) -> (bool, String, String) {
    let mut command = tokio::process::Command::from(command);
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(2 * waiting::LIMIT, running).await.expect("ends in time").expect("the client runs");
    let [out, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), out.clone(), out + &errors)
}
