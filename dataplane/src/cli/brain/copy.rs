//! `routing brain copy`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use brain::{
    copy::{Copied, Progress},
    settings::{DATABASE_RULE, DatabaseUrl},
};
use clap::Args;
use crds::{
    shown::{self, chain, printable},
    variables::{Reader, Variables},
};
use serde_json::json;

use super::{
    super::{CliError, Output},
    rows,
};

/// How often a line says how far it is.
const EVERY: Duration = Duration::from_secs(2);
/// Longest part of a URL that a message repeats, in characters.
const SHOWN: usize = 120;
const FROM_VARIABLE: &str = "BRAIN_COPY_FROM";
const TO_VARIABLE: &str = "BRAIN_COPY_TO";

#[derive(Args)]
pub(super) struct CopyArgs {
    /// Database to read, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE; a brain may serve it meanwhile
    /// [env: BRAIN_COPY_FROM]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Database to write, which must be empty; a file is created [env: BRAIN_COPY_TO]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: &CopyArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let from = database("--from", args.from.as_deref(), FROM_VARIABLE, variables)?;
    let to = database("--to", args.to.as_deref(), TO_VARIABLE, variables)?;
    let (began, mut steps) = (Instant::now(), Steps::default());
    let copied = brain::copy::copy(&from, &to, |progress| steps.say(progress, began.elapsed())).await;
    let copied = copied.map_err(|error| CliError::Message(chain(&error)))?;
    let tables: Vec<_> = copied.iter().map(|Copied { table, rows }| (*table, *rows)).collect();
    let (from, to, seconds) = (from.shown(), to.shown(), began.elapsed().as_secs_f64());
    match args.output {
        Output::Text => {
            println!("copied {from}\n    to {to} in {seconds:.1} s; read again there, every row is the same");
            print!("{}", rows::text(&tables));
        }
        Output::Json => {
            println!("{}", json!({"from": from, "to": to, "seconds": seconds, "tables": rows::json(&tables)}));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The database of an argument, or otherwise of a variable, which no list of processes shows.
fn database(
    argument: &str,
    given: Option<&str>,
    variable: &str,
    variables: &Variables,
) -> Result<DatabaseUrl, CliError> {
    let (name, text) = match (given, Reader::new(variables).text(variable)) {
        (Some(text), _) => (argument, text),
        (None, Some(text)) => (variable, text),
        (None, None) => return Err(CliError::Message(format!("{argument}: is missing; or set {variable}"))),
    };
    DatabaseUrl::parse(text.trim())
        .ok_or_else(|| CliError::Message(format!("{name}: {}: {DATABASE_RULE}", printable(&shown::url(text), SHOWN))))
}

/// Says now and then how far a copy is.
#[derive(Default)]
struct Steps {
    said: Duration,
}

impl Steps {
    fn say(&mut self, progress: Progress, elapsed: Duration) {
        if let Some(line) = self.line(progress, elapsed) {
            eprintln!("{line}");
        }
    }

    /// What to say, if it is time.
    fn line(&mut self, progress: Progress, elapsed: Duration) -> Option<String> {
        if elapsed.saturating_sub(self.said) < EVERY {
            return None;
        }
        self.said = elapsed;
        let Progress { table, rows, of, comparing } = progress;
        let does = if comparing { "comparing" } else { "copying" };
        Some(format!("{:>4} s  {does} {table}: {rows} of {of} rows", elapsed.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_it_is_every_two_seconds() {
        let (mut steps, mut said) = (Steps::default(), vec![]);
        for tenth in 1..=60 {
            let progress = Progress { table: "entries", rows: tenth, of: 100, comparing: tenth > 30 };
            said.extend(steps.line(progress, Duration::from_millis(tenth * 100)));
        }
        assert_eq!(
            said,
            [
                "   2 s  copying entries: 20 of 100 rows",
                "   4 s  comparing entries: 40 of 100 rows",
                "   6 s  comparing entries: 60 of 100 rows"
            ]
        );
    }

    #[test]
    fn a_url_that_is_none_is_shown_without_its_password_and_the_argument_counts_more_than_the_variable() {
        let variables: Variables = [("BRAIN_COPY_TO", "postgres://me:canary@db/brain")].into_iter().collect();
        let read =
            |given| database("--to", given, TO_VARIABLE, &variables).map(|url| url.shown()).map_err(|e| e.to_string());
        assert_eq!(read(None).expect("a URL"), "postgres://db/brain");
        assert_eq!(read(Some("sqlite:/x")).expect("a URL"), "/x");
        let error = read(Some("postgres://me:canary@db")).expect_err("no database");
        assert!(
            error.starts_with("--to: postgres://…@db: must be sqlite:PATH") && !error.contains("canary"),
            "{error}"
        );
        let missing = database("--from", None, FROM_VARIABLE, &variables).expect_err("missing").to_string();
        assert_eq!(missing, "--from: is missing; or set BRAIN_COPY_FROM");
    }
}
