//! The commands of the `routing` binary.

mod brain;
mod check;
mod demo;
mod mode;
mod outcome;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    server::ServeError,
    settings::{self, SettingsError, Variables},
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
    /// Serves the skills (also without a subcommand)
    Serve(ServeArgs),
    /// Keeps outcomes and serves pass rates
    Brain,
    /// Checks policy files without running them
    Check(CheckArgs),
    /// Writes the servers of a mode into an MCP client's .mcp.json
    Mode(ModeArgs),
    /// Reports how a skill's answer turned out
    Outcome(OutcomeArgs),
    /// Data plane, brain and, without LITELLM_BASE_URL, stand-in models in one process on this machine
    Demo(DemoArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// RoutingPolicy file [env: ROUTING_POLICY_FILE]; without one the environment's variables make the policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Folder that stands for ConfigMaps: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    configmaps: Option<PathBuf>,
}

#[derive(Args)]
struct CheckArgs {
    /// Policy files
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// Folder that stands for ConfigMaps: DIR/<name>/<key>
    #[arg(long, value_name = "DIR")]
    configmaps: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Args)]
struct ModeArgs {
    /// The mode
    #[arg(value_enum)]
    mode: ModeName,
    /// The file to write; its other servers and unknown keys are kept
    #[arg(long, value_name = "FILE", default_value = ".mcp.json")]
    out: PathBuf,
    /// Address of the data plane
    #[arg(long, value_name = "URL", default_value = crate::mcp_json::DEFAULT_URL)]
    url: String,
    /// Environment variable that holds the access token; the file only names it
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Address of the brain; adds it, so that outcomes can be reported
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Environment variable that holds the brain's token; the file only names it
    #[arg(long, value_name = "NAME", requires = "brain_url")]
    brain_token_env: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeName {
    ClientLocal,
}

#[derive(Args)]
struct OutcomeArgs {
    /// The skill
    skill: String,
    /// How its answer turned out
    #[arg(value_enum)]
    outcome: OutcomeName,
    /// Id of the decision, from the answer's routing line
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// Your session
    #[arg(long, value_name = "S")]
    session: Option<String>,
    /// Address of the brain [env: BRAIN_URL]; BRAIN_TOKEN is sent when set
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
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
    /// Adds example outcomes, so that the skills are routed differently
    #[arg(long)]
    with_examples: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a reader
    #[default]
    Text,
    /// For a script
    Json,
}

/// A command that did not do what it was asked to. Printed once, as it is.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Neither the policy nor the last good one can run.
    #[error(transparent)]
    Start(#[from] crate::config::StartError),
    /// The server could not start or broke.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The brain's store cannot be opened.
    #[error("{error}: {}", std::error::Error::source(error).map(ToString::to_string).unwrap_or_default())]
    Store {
        /// What could not be opened.
        error: ::brain::store::StoreError,
    },
    /// Anything that is said in one sentence.
    #[error("{0}")]
    Message(String),
}

/// Runs a command.
///
/// # Errors
/// Why it did not do what it was asked to.
pub async fn run(cli: Cli, variables: Variables) -> Result<ExitCode, CliError> {
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    // Held until the command has ended: what is logged last is written, too.
    let _logs = telemetry::start(set(&variables, "RUST_LOG"), set(&variables, "ROUTING_LOG_FORMAT"))
        .map_err(|lines| with_other_bad_variables(lines, &command, &variables))?;
    // Fails only when one is installed already, and nothing here installs another.
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

/// All bad variables are named in one go, those of the logs among them.
fn with_other_bad_variables(mut lines: Vec<String>, command: &Command, variables: &Variables) -> SettingsError {
    if let Command::Serve(args) = command
        && let Err(other) = settings::read(variables, args.policy_file(variables), None)
    {
        lines.extend(other.0);
    }
    SettingsError(lines)
}

impl ServeArgs {
    /// The policy file, by argument or by variable.
    fn policy_file(&self, variables: &Variables) -> Option<PathBuf> {
        self.policy.clone().or_else(|| set(variables, "ROUTING_POLICY_FILE").map(Into::into))
    }
}

/// The process's environment.
///
/// # Errors
/// A variable of ours that is not UTF-8, by name; others are none of our business.
pub fn environment() -> Result<Variables, CliError> {
    let (mut variables, mut errors) = (Variables::new(), vec![]);
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => drop(variables.insert(name, value)),
            Err(_) if OURS.iter().any(|prefix| name.starts_with(prefix)) => {
                errors.push(format!("{name}: is not UTF-8"))
            }
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(SettingsError(errors).into()) }
}

/// How the names of our variables begin.
const OURS: [&str; 6] = ["ROUTING_", "BRAIN_", "HYPERGUILD_", "LITELLM_", "SUPERVISOR_CONFIG_DIR", "RUST_LOG"];

/// The client for brains.
fn http_client() -> Result<reqwest::Client, CliError> {
    let described = |e: reqwest::Error| {
        let cause = std::error::Error::source(&e).map(|source| format!(": {source}")).unwrap_or_default();
        CliError::Message(format!("the HTTP client cannot be built: {e}{cause}"))
    };
    crate::http_client::build(vec![]).map_err(described)
}

/// A variable's text; an empty one counts as unset.
fn set<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(name).map(String::as_str).filter(|text| !text.is_empty())
}
