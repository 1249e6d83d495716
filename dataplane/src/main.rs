//! The `routing` binary.

use std::process::ExitCode;

use clap::Parser;
use dataplane::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli::environment() {
        Ok(variables) => cli::run(cli, variables).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
