//! `routing report`.

mod figures;
mod page;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use crds::{
    period::{Period, USUAL_WINDOW},
    shown::printable,
    variables::Variables,
};

use super::{
    CliError,
    brain_at::{self, BrainAt},
};
use crate::{brain_client::BrainError, settings::environment::DEFAULT_BRAIN_URL};

/// Longest text from outside that a message repeats, in characters.
const SHOWN: usize = 64;

#[derive(Args)]
pub(super) struct ReportArgs {
    /// How far back: a whole number and a unit (m, h, d), at most 400d
    #[arg(long, value_name = "TIME", default_value = USUAL_WINDOW)]
    since: String,
    /// Address of the brain; BRAIN_TOKEN holds its token [env: BRAIN_URL] [default: the first installation's]
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Format of the result; markdown fits a pull request or a chat
    #[arg(long, value_enum, default_value_t)]
    output: ReportOutput,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReportOutput {
    #[default]
    Table,
    Json,
    Markdown,
}

pub(super) async fn run(args: &ReportArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let ReportArgs { since, brain_url, output } = args;
    if Period::from_text(since).duration().is_err() {
        let shown = printable(since, SHOWN);
        return Err(CliError::Message(format!("--since: {shown}: must be a whole number with a unit, for example 7d")));
    }
    let url = brain_at::given(brain_url.as_deref(), variables).unwrap_or(DEFAULT_BRAIN_URL);
    let brain = BrainAt::new(url, variables)?;
    let (raw, report) = brain.client.report(since).await.map_err(|error| failed(&brain, since, &error))?;
    match output {
        ReportOutput::Json => println!("{raw}"),
        ReportOutput::Table => print!("{}", page::table(&report)),
        ReportOutput::Markdown => print!("{}", page::markdown(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(brain: &BrainAt, since: &str, error: &BrainError) -> CliError {
    CliError::Message(match error {
        BrainError::Status(404) => {
            let address = &brain.address;
            format!(
                "what answers at {address} keeps no costs (404): it is an earlier version of the brain or another program; check --brain-url and BRAIN_URL"
            )
        }
        BrainError::Status(400) => {
            format!("--since: {}: the brain takes at most 400d", printable(since, SHOWN))
        }
        other => format!("the report is not known: {}", brain.why(other)),
    })
}
