//! `routing hook`: what Claude Code and Git ask while somebody works.
//!
//! A hook never holds anything up: it always ends with 0, within seconds, and says on standard error, in one line, what
//! it could not do.

mod asked;
mod git;
mod kept;
mod settings;

use std::{
    ffi::OsString,
    io::{Read, stdin},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use crds::variables::Variables;
use serde_json::Value;

use self::{asked::Asked, kept::Kept, settings::Settings};
use crate::{
    clock,
    hook::{Event, HookAnswer, Input, conclude, plan, wanted},
};

/// Largest input, in bytes: an answer of a tool is part of it.
const INPUT_MAX: u64 = 8 * 1024 * 1024;

#[derive(Args)]
pub(super) struct HookArgs {
    #[command(subcommand)]
    hook: Hook,
}

#[derive(Subcommand)]
enum Hook {
    /// Answers one hook of Claude Code: its JSON on standard input, the answer on standard output; see the plugin
    ClaudeCode,
    /// A prepare-commit-msg hook of Git: adds the decisions of the Claude Code session as trailers of the message
    Git {
        /// File with the message
        file: PathBuf,
        /// Where the message comes from, as Git says
        #[arg(num_args = 0.., hide = true)]
        more: Vec<OsString>,
    },
}

/// Runs a hook.
pub(super) fn run(args: &HookArgs) -> ExitCode {
    let variables = environment();
    let done = match &args.hook {
        Hook::ClaudeCode => claude_code(&variables),
        Hook::Git { file, more } => git::run(file, more, &variables),
    };
    if let Err(problem) = done {
        eprintln!("routing hook: {problem}");
    }
    ExitCode::SUCCESS
}

/// Variables that are not text are none of ours.
fn environment() -> Variables {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

fn claude_code(variables: &Variables) -> Result<(), String> {
    let input = Input::read(&read()?).ok_or("the input has no session_id: it is none of Claude Code's hooks")?;
    // Most events are none of ours, and cost no file.
    if input.event == Event::Other {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map_err(|error| error.to_string())?.block_on(answered(input, variables))?;
    if let Some(answer) = answer.json() {
        println!("{answer}");
    }
    Ok(())
}

fn read() -> Result<Value, String> {
    let mut text = vec![];
    stdin().lock().take(INPUT_MAX + 1).read_to_end(&mut text).map_err(|error| format!("the input: {error}"))?;
    if text.len() as u64 > INPUT_MAX {
        return Err(format!("the input has more than {INPUT_MAX} bytes; nothing was done"));
    }
    // The error of the parser would quote the input.
    serde_json::from_slice(&text).map_err(|_| "the input is not JSON".into())
}

/// A setting that cannot be used is shown when a session begins, and to a user who speaks to us.
fn unusable(event: &Event, problem: String) -> Result<HookAnswer, String> {
    match event {
        Event::Started => Ok(HookAnswer::Show(format!("routing: {problem}"))),
        Event::Spoken(_) => Ok(HookAnswer::End(format!("routing: {problem}"))),
        _ => Err(problem),
    }
}

async fn answered(input: Input, variables: &Variables) -> Result<HookAnswer, String> {
    let Input { session, folder, event } = input;
    // Git is asked about the commits that were made there.
    let _ = std::env::set_current_dir(&folder);
    // Fails only if a provider is already installed, and nothing else here installs one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kept = Kept::open(&session, variables)?;
    if matches!(event, Event::Started | Event::Ended) {
        kept.forget_old_sessions();
    }
    let asked = match Asked::new(&Settings::of(variables), &session) {
        Ok(asked) => asked,
        Err(problem) => return unusable(&event, problem),
    };
    let facts = asked.facts(&wanted(&event, kept.state(), clock::now_ms()), kept.state()).await;
    let plan = plan(event, kept.state().clone(), &facts);
    let mut sent = vec![];
    for report in &plan.reports {
        sent.push(asked.report(report).await);
    }
    let (state, answer) = conclude(plan, &sent);
    kept.write(state)?;
    Ok(answer)
}
