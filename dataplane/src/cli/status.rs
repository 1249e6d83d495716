//! `routing status`.

mod page;

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use crds::{
    pod::{ADMIN_PORT, PodStatus, STATUS_PATH},
    shown,
    variables::Variables,
};
use reqwest::StatusCode;
use serde_json::Value;

use self::page::Seen;
use super::{
    CliError, Output,
    brain_at::{self, BrainAt},
};
use crate::{
    brain_client::{BrainError, KnownDecision},
    clock, http_client,
};

/// The data plane may ask its brain for the rate of each skill before it answers.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest `/status`, in bytes.
const STATUS_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Time between two looks.
const WATCH: Duration = Duration::from_secs(2);
/// Decisions that are shown.
const DECISIONS: usize = 10;
/// Decisions that are shown in short.
const DECISIONS_IN_SHORT: usize = 3;
/// Clears a terminal.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

#[derive(Args)]
pub(super) struct StatusArgs {
    /// Address of the data plane's admin port
    #[arg(long, value_name = "ADMIN_URL", default_value_t = format!("http://127.0.0.1:{ADMIN_PORT}"))]
    url: String,
    /// Address of the brain, for the last decisions; BRAIN_TOKEN holds its token [env: BRAIN_URL]
    #[arg(long, value_name = "URL")]
    brain_url: Option<String>,
    /// Looks again every two seconds, until it is interrupted
    #[arg(long)]
    watch: bool,
    /// Format of the result; with --watch one line of JSON for each look
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: &StatusArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    let brain = brain_at::given(args.brain_url.as_deref(), variables).map(|url| BrainAt::new(url, variables));
    let brain = brain.transpose()?;
    let client = super::http_client()?;
    if !args.watch {
        let seen = look(&client, &args.url, brain.as_ref()).await?;
        println!("{}", shown_as(&seen, args.output));
        return Ok(if seen.brain_problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    tokio::select! {
        // Asked for, because a shell may have started this with interrupts ignored.
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| CliError::Message(format!("--watch: interrupts cannot be waited for: {error}")))?;
        }
        () = watch(&client, args, brain.as_ref()) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks again and again.
async fn watch(client: &reqwest::Client, args: &StatusArgs, brain: Option<&BrainAt>) {
    loop {
        let looked = look(client, &args.url, brain).await;
        if stdout().is_terminal() && args.output == Output::Text {
            print!("{CLEAR}");
        }
        // What is away now may be back at the next look.
        match looked {
            Ok(seen) => println!("{}", shown_as(&seen, args.output)),
            Err(error) => eprintln!("{error}"),
        }
        tokio::time::sleep(WATCH).await;
    }
}

/// The screen in short, for a hook.
pub(super) async fn in_short(admin_url: &str, brain: Option<&BrainAt>) -> Result<String, CliError> {
    let mut seen = look(&super::http_client()?, admin_url, brain).await?;
    seen.decisions.truncate(DECISIONS_IN_SHORT);
    Ok(page::text(&seen).trim_end().into())
}

fn shown_as(seen: &Seen, output: Output) -> String {
    match output {
        Output::Text => page::text(seen).trim_end().into(),
        Output::Json => page::json(seen).to_string(),
    }
}

async fn look(client: &reqwest::Client, url: &str, brain: Option<&BrainAt>) -> Result<Seen, CliError> {
    let status = status(client, url).await?;
    let decisions = match brain {
        Some(brain) => decisions(brain, &status).await.map_err(|error| brain.why(&error)),
        None => Ok(vec![]),
    };
    let (decisions, brain_problem) = match decisions {
        Ok(decisions) => (decisions, None),
        Err(problem) => (vec![], Some(problem)),
    };
    let brain = brain.map(|brain| brain.address.clone());
    Ok(Seen { url: shown::url(url), status, brain, decisions, brain_problem, now_ms: clock::now_ms() })
}

/// The latest decisions on the served skills, whichever they are on.
async fn decisions(brain: &BrainAt, status: &PodStatus) -> Result<Vec<KnownDecision>, BrainError> {
    let mut all = vec![];
    for skill in &status.skills {
        all.extend(brain.client.decisions(&skill.name, DECISIONS).await?);
    }
    all.sort_by_key(|decision| std::cmp::Reverse(decision.at));
    all.truncate(DECISIONS);
    Ok(all)
}

async fn status(client: &reqwest::Client, url: &str) -> Result<PodStatus, CliError> {
    let shown = shown::url(url);
    let message = |text: String| CliError::Message(text);
    let mut target =
        brain_at::http_url(url).ok_or_else(|| message(format!("--url: {shown}: must be an http or https URL")))?;
    let base = target.path().trim_end_matches('/').trim_end_matches(STATUS_PATH).to_string();
    target.set_path(&format!("{base}{STATUS_PATH}"));
    let unreachable = || {
        message(format!(
            "nothing answers at {shown}: start the data plane (routing serve), or name the admin port of one that runs with --url (ROUTING_ADMIN_PORT, {ADMIN_PORT} by default)"
        ))
    };
    let response = client.get(target).timeout(TIMEOUT).send().await.map_err(|_| unreachable())?;
    let code = response.status();
    let body = http_client::read_bounded(response, STATUS_MAX_BYTES).await.unwrap_or_default();
    let status = serde_json::from_slice(&body).ok().filter(|_| code == StatusCode::OK).and_then(of_a_data_plane);
    status.ok_or_else(|| {
        message(format!(
            "what answers at {shown} is not the admin port of a data plane: it answered GET {STATUS_PATH} with {} and no status; --url needs the port in ROUTING_ADMIN_PORT ({ADMIN_PORT} by default), not that of /mcp or of the brain",
            code.as_u16()
        ))
    })
}

/// Every field of a status may be absent, so other JSON would be read as an empty one.
fn of_a_data_plane(body: Value) -> Option<PodStatus> {
    body.get("configHash")?;
    serde_json::from_value(body).ok()
}
