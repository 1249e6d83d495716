//! The commands of the `routing` binary.

mod brain;
mod check;
mod demo;
mod mode;
mod outcome;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use crds::{pod::variable, shown::chain, variables::Variables};

use crate::{
    server::ServeError,
    settings::{self, SettingsError},
    telemetry,
};

/// Serves MCP skills and routes each call to a local model or to Claude by the skill's measured pass rate.
#[derive(Parser)]
#[command(name = "routing", version = crds::VERSION, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the skills (the default without a subcommand)
    Serve(ServeArgs),
    /// Stores outcomes and serves pass rates
    Brain,
    /// Checks policy files without running them
    Check(CheckArgs),
    /// Writes a mode's MCP servers into a client's .mcp.json
    Mode(ModeArgs),
    /// Reports to the brain how a skill's answer turned out
    Outcome(OutcomeArgs),
    /// Runs a data plane, a brain and, without LITELLM_BASE_URL, stand-in models in one process on this machine
    Demo(DemoArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// RoutingPolicy file [env: ROUTING_POLICY_FILE]; without one, environment variables describe the policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Folder with the ConfigMaps that the policy refers to: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    configmaps: Option<PathBuf>,
}

#[derive(Args)]
struct CheckArgs {
    /// RoutingPolicy files
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// Folder with the ConfigMaps that the policy refers to: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    configmaps: Option<PathBuf>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Args)]
struct ModeArgs {
    /// How the client works with the data plane
    #[arg(value_enum)]
    mode: ModeName,
    /// File to write; its other servers and unknown keys are kept
    #[arg(long, value_name = "FILE", default_value = ".mcp.json")]
    out: PathBuf,
    /// Address of the data plane's MCP endpoint
    #[arg(long, value_name = "URL", default_value = crate::mcp_json::DEFAULT_URL)]
    url: String,
    /// Environment variable that holds the access token; only its name is written
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Address of the brain; adds it as a second server, so that outcomes can be reported
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Environment variable that holds the brain's token; only its name is written
    #[arg(long, value_name = "NAME", requires = "brain_url")]
    brain_token_env: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeName {
    /// The client runs on its user's machine
    ClientLocal,
}

#[derive(Args)]
struct OutcomeArgs {
    /// Skill that answered, for example debug
    skill: String,
    /// How its answer turned out
    #[arg(value_enum)]
    outcome: OutcomeName,
    /// Id of the decision: decision_id in the answer's routing line
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// Your session id; the outcome becomes one of the session's entries
    #[arg(long, value_name = "S")]
    session: Option<String>,
    /// Address of the brain [env: BRAIN_URL]; BRAIN_TOKEN is sent when set
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum OutcomeName {
    Pass,
    Fail,
}

#[derive(Args)]
struct DemoArgs {
    /// Adds example outcomes, so that the skills take different routes
    #[arg(long)]
    with_examples: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

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

/// Runs a command.
///
/// # Errors
/// The command failed; the caller prints the error.
pub async fn run(cli: Cli, variables: Variables) -> Result<ExitCode, CliError> {
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    // Held until the command has ended, so that the last log lines are written, too.
    let _logs = telemetry::start(variables.get("RUST_LOG"), variables.get(variable::LOG_FORMAT))
        .map_err(|lines| with_other_bad_variables(lines, &command, &variables))?;
    // Fails only if a provider is already installed, and nothing else here installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Serve(args) => serve::run(args, &variables).await,
        Command::Brain => brain::run(&variables).await,
        Command::Check(args) => check::run(&args),
        Command::Mode(args) => mode::run(&args),
        Command::Outcome(args) => outcome::run(&args, &variables).await,
        Command::Demo(args) => demo::run(&args, &variables).await,
    }
}

/// Names all bad variables in one go: those of the logs, and those of every part that the command starts.
fn with_other_bad_variables(lines: Vec<String>, command: &Command, variables: &Variables) -> SettingsError {
    let others = match command {
        Command::Serve(args) => {
            settings::read(variables, args.policy_file(variables), None).err().map(|error| error.0).unwrap_or_default()
        }
        Command::Brain => ::brain::settings::from_environment(variables).err().unwrap_or_default(),
        Command::Demo(_) => demo::bad_variables(variables),
        Command::Check(_) | Command::Mode(_) | Command::Outcome(_) => vec![],
    };
    SettingsError::all([lines, others])
}

impl ServeArgs {
    /// The policy file, from the argument or otherwise from the variable.
    fn policy_file(&self, variables: &Variables) -> Option<PathBuf> {
        self.policy.clone().or_else(|| variables.get(variable::POLICY_FILE).map(Into::into))
    }
}

/// The process's environment.
///
/// # Errors
/// One of our variables is not UTF-8; the error names it. Other variables are ignored.
pub fn environment() -> Result<Variables, CliError> {
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
        |error: reqwest::Error| CliError::Message(format!("the HTTP client cannot be built: {}", chain(&error)));
    crate::http_client::build(vec![]).map_err(described)
}
