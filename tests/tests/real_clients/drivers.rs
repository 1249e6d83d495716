//! Runs the clients: each is asked the same and says what it got in the same form.

mod inspector;
mod rmcp;

use std::process::{Command, Output, Stdio};

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
    /// With more options.
    Inspector(&'static [&'static str]),
}

/// What a client is asked to do.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// Answered with the names of the tools.
    List,
    /// Calls a tool with arguments in JSON; answered with `isError`, `content` and, if it can, the messages of `progress`.
    Call(&'a str, &'a str),
    /// Calls it and cancels that once there was progress and [`Driver::ask`] is told to; answered with `cancelled`.
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
    /// What the client says, or all that it printed when it failed. What is to be cancelled is when `now` is done.
    pub async fn ask(
        self,
        url: &str,
        token: &str,
        ask: Ask<'_>,
        now: impl Future<Output = ()>,
    ) -> Result<Value, String> {
        let command = match self {
            Self::Rmcp { initialize } => return rmcp::ask(url, token, initialize, ask, now).await,
            Self::Inspector(options) => return inspector::ask(options, url, token, ask, now).await,
            Self::TypeScript(mode) => clients::typescript_command(url, mode, token, &ask.words()),
            Self::Python(mode) => {
                let mut arguments = vec!["--token", token];
                arguments.extend(ask.words());
                if matches!(ask, Ask::Call(..)) {
                    arguments.push("--progress");
                }
                clients::python_command(url, mode, &arguments)
            }
            Self::FastMcp => {
                let mut command = Command::new(required("ROUTING_TEST_FASTMCP").join("bin/python"));
                command.arg(checkout().join("tests/clients/fastmcp/client.py"));
                given(command, url, token, ask)
            }
            Self::Go => given(Command::new(required("ROUTING_TEST_GO_CLIENT")), url, token, ask),
        };
        let (succeeded, out, all) = ran(command, now).await;
        if !succeeded {
            return Err(all);
        }
        serde_json::from_str(out.trim()).map_err(|error| format!("{error}: {all}"))
    }
}

fn given(mut command: Command, url: &str, token: &str, ask: Ask<'_>) -> Command {
    command.args([url, token]).args(ask.words());
    command
}

/// Whether a program succeeded, its standard output, and all that it printed. Its standard input ends when `now` is done.
async fn ran(command: Command, now: impl Future<Output = ()>) -> (bool, String, String) {
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the client starts");
    let input = child.stdin.take();
    let until = async move {
        now.await;
        drop(input);
        std::future::pending::<Output>().await
    };
    let running = async {
        tokio::select! {
            output = child.wait_with_output() => output.expect("its output"),
            never = until => never,
        }
    };
    let output = tokio::time::timeout(2 * waiting::LIMIT, running).await.expect("the client ends in time");
    let [out, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), out.clone(), out + &errors)
}
