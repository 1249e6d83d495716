//! `routing brain backup`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use crds::{shown::chain, variables::Variables};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    super::{CliError, Output},
    rows,
};
use crate::settings::SettingsError;

#[derive(Args)]
pub(super) struct BackupArgs {
    /// File to write; only its owner may read it
    file: PathBuf,
    /// Replaces the file if it exists, once the new backup is complete
    #[arg(long)]
    replace: bool,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: &BackupArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let BackupArgs { file, replace, output } = args;
    let database = brain::settings::database(variables).map_err(SettingsError)?;
    let failed = |error: std::io::Error| CliError::Message(format!("signals cannot be waited for: {error}"));
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let made = tokio::select! {
        made = brain::backup::backup(&database, file, *replace) => made,
        // What was written so far is removed.
        _ = tokio::signal::ctrl_c() => return Err(CliError::Message("interrupted: there is no backup".into())),
        _ = terminated.recv() => return Err(CliError::Message("terminated: there is no backup".into())),
    };
    let made = made.map_err(|error| CliError::Message(chain(&error)))?;
    let (from, to) = (database.shown(), std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    match output {
        Output::Text => {
            println!("backed up {from}\n       to {} ({} bytes, checked)", to.display(), made.bytes);
            print!("{}", rows::text(&made.tables));
        }
        Output::Json => println!(
            "{}",
            json!({"from": from, "file": to.display().to_string(), "bytes": made.bytes, "tables": rows::json(&made.tables)})
        ),
    }
    Ok(ExitCode::SUCCESS)
}
