//! `routing mcp-json`, and `routing mode client-local`, which is the same with the values of the first installation.

use std::process::ExitCode;

use serde_json::json;

use super::{CliError, McpJsonArgs, McpJsonOptions, ModeArgs, ModeName, Output};
use crate::{
    mcp_json::{self, DESCRIPTION, MODE_DESCRIPTION, Servers},
    mode::Mode,
};

pub(super) fn run(args: &McpJsonArgs) -> Result<ExitCode, CliError> {
    write(Mode::ClientLocal, &args.url, DESCRIPTION, &args.options)
}

pub(super) fn run_mode(args: &ModeArgs) -> Result<ExitCode, CliError> {
    let mode = match args.mode {
        ModeName::ClientLocal => Mode::ClientLocal,
    };
    write(mode, &args.url, MODE_DESCRIPTION, &args.options)
}

fn write(mode: Mode, url: &str, description: &str, options: &McpJsonOptions) -> Result<ExitCode, CliError> {
    let McpJsonOptions { out, token_env, brain_url, brain_token_env, output } = options;
    let servers = Servers {
        mode,
        url,
        description,
        token_env: token_env.as_deref(),
        brain_url: brain_url.as_deref(),
        brain_token_env: brain_token_env.as_deref(),
    };
    let written = mcp_json::write(out, &servers).map_err(|e| CliError::Message(e.to_string()))?;
    match output {
        Output::Text => println!("{}: {}", out.display(), written.join(", ")),
        Output::Json => println!("{}", json!({"file": out.display().to_string(), "servers": written})),
    }
    Ok(ExitCode::SUCCESS)
}
