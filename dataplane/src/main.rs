//! The `routing` binary.

use std::process::ExitCode;

use clap::Parser;
use dataplane::cli::{self, Cli};
use mimalloc::MiMalloc;

/// Gives memory back when a burst of calls is over; that of glibc keeps nearly all of it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
