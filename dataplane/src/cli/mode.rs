//! `routing mode client-local`.

use std::process::ExitCode;

use serde_json::json;

use super::{CliError, ModeArgs, ModeName, Output};
use crate::{
    mcp_json::{self, Servers},
    mode::Mode,
};

pub(super) fn run(args: &ModeArgs) -> Result<ExitCode, CliError> {
    let ModeArgs { mode, out, url, token_env, brain_url, brain_token_env, output } = args;
    let mode = match mode {
        ModeName::ClientLocal => Mode::ClientLocal,
    };
    let servers = Servers {
        mode,
        url,
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
