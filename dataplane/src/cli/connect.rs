//! `routing connect`.

mod client_config;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use crds::{shown, variables::Variables};
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use self::client_config::Client;
use super::{CliError, brain_at::http_url};
use crate::{
    bounded_file::{self, BoundedFileError},
    connect,
    mcp_json::LOCAL_URL,
};

/// Below the help of `routing connect`.
pub(super) const VARIABLES: &str = "\
Environment:
  ROUTING_MCP_TOKEN   Token sent to the data plane [default: the text of ~/.config/routing/token, otherwise none]
  ROUTING_URL         Address, if --url is not given";

/// As the Claude Code plugin passes its options.
const PLUGIN_URL: &str = "CLAUDE_PLUGIN_OPTION_URL";
const PLUGIN_TOKEN: &str = "CLAUDE_PLUGIN_OPTION_TOKEN";
/// Claude Code's own id of its session: it sets it for every command that it runs.
pub(super) const CLAUDE_SESSION: &str = "CLAUDE_CODE_SESSION_ID";
/// Bits of a file's mode for others than its owner.
const OTHERS: u32 = 0o077;
/// Largest file with a token, in bytes.
const TOKEN_MAX_BYTES: u64 = 16 * 1024;

#[derive(Args)]
pub(super) struct ConnectArgs {
    /// Address of the data plane's MCP endpoint [default: http://127.0.0.1:3210/mcp]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Prints the entry for an MCP client's settings, and does nothing else
    #[arg(long, value_enum, value_name = "CLIENT")]
    print_config: Option<Client>,
}

pub(super) async fn run(args: &ConnectArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let url = [args.url.as_deref(), variables.get("ROUTING_URL"), variables.get(PLUGIN_URL)];
    let url = url.into_iter().flatten().next().unwrap_or(LOCAL_URL);
    let parsed = http_url(url).map(with_path).ok_or_else(|| {
        CliError::Message(format!("--url: {}: must be an http or https URL, for example {LOCAL_URL}", shown::url(url)))
    })?;
    if let Some(client) = args.print_config {
        println!("{}", client.entry(parsed.as_str(), &program()));
        return Ok(ExitCode::SUCCESS);
    }
    let folder = std::env::current_dir()
        .map_err(|error| CliError::Message(format!("the working folder cannot be used: {error}")))?;
    let session = variables.get(CLAUDE_SESSION).map_or_else(|| Uuid::new_v4().to_string(), String::from);
    let settings = connect::Settings { url: parsed, token: token(variables)?, folder, session };
    let input = tokio::io::BufReader::new(tokio::io::stdin());
    connect::run(settings, input, tokio::io::stdout()).await.map_err(|error| CliError::Message(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

/// A base address is meant as that of the endpoint.
fn with_path(mut url: Url) -> Url {
    if url.path() == "/" {
        url.set_path(endpoint::PATH);
    }
    url
}

/// From the variable, the plugin's option or the user's file.
fn token(variables: &Variables) -> Result<Option<SecretString>, CliError> {
    let given = variables.filled_in("ROUTING_MCP_TOKEN").or_else(|| variables.filled_in(PLUGIN_TOKEN));
    if let Some(token) = given {
        return Ok(Some(token.into()));
    }
    let Some(file) = token_file(variables) else { return Ok(None) };
    match std::fs::metadata(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&file, &error.to_string())),
        Ok(it) if it.permissions().mode() & OTHERS != 0 => Err(unusable(&file, "others may read it: chmod 600")),
        Ok(_) => {
            let text = bounded_file::text(&file, TOKEN_MAX_BYTES).map_err(|error| match error {
                BoundedFileError::Io(error) => unusable(&file, &error.to_string()),
                BoundedFileError::NotAFile | BoundedFileError::TooLarge { .. } => {
                    unusable(&file, "it is no file with a token")
                }
            })?;
            let text = text.trim();
            Ok((!text.is_empty()).then(|| text.into()))
        }
    }
}

/// Below the user's settings, as the XDG base directory specification has it: a relative path does not count.
fn token_file(variables: &Variables) -> Option<PathBuf> {
    let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(base.join("routing/token"))
}

fn unusable(file: &Path, reason: &str) -> CliError {
    CliError::Message(format!("the token in {} cannot be used: {reason}", file.display()))
}

/// This program as a client can start it: by its name, if that leads to it.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "routing".into() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("routing")).find(|file| file.is_file());
    let same = found.is_some_and(|found| found.canonicalize().ok() == own.canonicalize().ok());
    if same { "routing".into() } else { own.display().to_string() }
}
