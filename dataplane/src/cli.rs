//! The commands of the `routing` binary.

mod aligned;
mod arguments;
mod brain;
mod brain_at;
mod check;
mod connect;
mod demo;
mod evidence;
mod hook;
mod mcp_json;
mod outcome;
mod report;
mod serve;
mod status;

use std::{process::ExitCode, time::Duration};

use crds::{pod::variable, shown::chain, variables::Variables};

pub use self::arguments::Cli;
use self::arguments::{
    CheckArgs, CiResult, Command, DemoArgs, McpJsonArgs, McpJsonOptions, ModeArgs, ModeName, OutcomeArgs, OutcomeName,
    Output, ServeArgs,
};
use crate::{
    core_dumps,
    http_client::{self, ClientError},
    rendering::renderer,
    server::ServeError,
    settings::{self, SettingsError},
    telemetry,
};

/// Why a command failed. Printed to standard error.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Neither the policy nor the last good one can run.
    #[error(transparent)]
    Start(#[from] crate::config::StartError),
    /// The server could not start, or failed while running.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The brain's store cannot be opened or written.
    #[error("{}", chain(error))]
    Store {
        /// Printed with its cause.
        error: ::brain::store::StoreError,
    },
    /// Any other failure, as a complete message.
    #[error("{0}")]
    Message(String),
}

/// How long the process waits at its end for a write or a read that blocks: one to a pipe that nobody reads would never
/// end.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Runs a command.
///
/// # Errors
/// The command failed; the caller prints the error.
pub fn run(cli: Cli) -> Result<ExitCode, CliError> {
    core_dumps::forbid();
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    // Before anything else is set up: this process is for one prompt.
    if matches!(command, Command::RenderPrompt) {
        return Ok(renderer::run());
    }
    // A hook never fails.
    if let Command::Hook(args) = &command {
        return Ok(hook::run(args));
    }
    let variables = environment()?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CliError::Message(format!("no threads can be started: {error}")))?;
    let ended = runtime.block_on(run_command(command, variables));
    runtime.shutdown_timeout(LAST_WRITES);
    ended
}

async fn run_command(command: Command, variables: Variables) -> Result<ExitCode, CliError> {
    // Held until the command has ended, so that the last log lines are written, too.
    let _logs = telemetry::start(variables.get("RUST_LOG"), variables.get(variable::LOG_FORMAT))
        .map_err(|lines| with_other_bad_variables(lines, &command, &variables))?;
    // Fails only if a provider is already installed, and nothing else here installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Serve(args) => serve::run(args, &variables).await,
        Command::Brain(args) => brain::run(&args, &variables).await,
        Command::Check(args) => check::run(&args),
        Command::McpJson(args) => mcp_json::run(&args),
        Command::Mode(args) => mcp_json::run_mode(&args),
        Command::Connect(args) => connect::run(&args, &variables).await,
        Command::Outcome(args) => outcome::run(&args, &variables).await,
        Command::Evidence(args) => evidence::run(&args, &variables).await,
        Command::Status(args) => status::run(&args, &variables).await,
        Command::Report(args) => report::run(&args, &variables).await,
        Command::Demo(args) => demo::run(&args, &variables).await,
        Command::RenderPrompt => Ok(renderer::run()),
        Command::Hook(args) => Ok(hook::run(&args)),
    }
}

/// Names all bad variables in one go: those of the logs, and those of every part that the command starts.
fn with_other_bad_variables(lines: Vec<String>, command: &Command, variables: &Variables) -> SettingsError {
    let others = match command {
        Command::Serve(args) => {
            settings::read(variables, args.policy_file(variables), None).err().map(|error| error.0).unwrap_or_default()
        }
        Command::Brain(args) => args.bad_variables(variables),
        Command::Demo(_) => demo::bad_variables(variables),
        Command::Check(_)
        | Command::McpJson(_)
        | Command::Mode(_)
        | Command::Connect(_)
        | Command::Outcome(_)
        | Command::Evidence(_)
        | Command::Status(_)
        | Command::Report(_)
        | Command::Hook(_)
        | Command::RenderPrompt => vec![],
    };
    SettingsError::all([lines, others])
}

/// The process's environment.
///
/// # Errors
/// One of our variables is not UTF-8; the error names it. Other variables are ignored.
fn environment() -> Result<Variables, CliError> {
    let (mut variables, mut errors) = (Variables::default(), vec![]);
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => variables.set(&name, &value),
            Err(_) if OURS.iter().any(|prefix| name.starts_with(prefix)) => {
                errors.push(format!("{name}: is not UTF-8"))
            }
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(SettingsError(errors).into()) }
}

/// Prefixes of our variables' names.
const OURS: [&str; 6] = ["ROUTING_", "BRAIN_", "HYPERGUILD_", "LITELLM_", "SUPERVISOR_CONFIG_DIR", "RUST_LOG"];

/// The HTTP client for requests to the brain.
fn http_client() -> Result<reqwest::Client, CliError> {
    let described =
        |error: ClientError| CliError::Message(format!("the HTTP client cannot be built: {}", chain(&error)));
    http_client::build(vec![]).map_err(described)
}
