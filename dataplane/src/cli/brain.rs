//! `routing brain`, and its commands on databases.

mod backup;
mod copy;
mod rows;

use std::{process::ExitCode, time::Duration};

use brain::{
    http::{self, Ends, Reports},
    metrics::Metrics,
    settings::{Place, Settings},
    store::Store,
};
use clap::{Args, Subcommand};
use crds::variables::Variables;
use endpoint::serve::Limits;
use tokio::net::TcpListener;

use super::CliError;
use crate::{
    otlp::{self, Losses, Signal},
    server::{self, ServeError},
    settings::SettingsError,
    shutdown::Shutdown,
    traces::evaluation,
};

/// How long requests in flight may take after a signal; each is a write or a short read.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(super) struct BrainArgs {
    #[command(subcommand)]
    what: Option<What>,
}

/// What is done instead of serving.
#[derive(Subcommand)]
enum What {
    /// Copies a database into an empty one, SQLite or Postgres, while a brain serves it, and compares every row
    Copy(copy::CopyArgs),
    /// Copies the SQLite file of BRAIN_DATABASE_URL into another file, while a brain serves it, and checks the copy
    Backup(backup::BackupArgs),
}

impl BrainArgs {
    /// The variables that are bad for what is done.
    pub(super) fn bad_variables(&self, variables: &Variables) -> Vec<String> {
        match self.what {
            None => brain::settings::from_environment(variables).err().unwrap_or_default(),
            Some(What::Backup(_)) => brain::settings::database(variables).err().unwrap_or_default(),
            Some(What::Copy(_)) => vec![],
        }
    }
}

pub(super) async fn run(args: &BrainArgs, variables: &Variables) -> Result<ExitCode, CliError> {
    match &args.what {
        None => serve(variables).await,
        Some(What::Copy(args)) => copy::run(args, variables).await,
        Some(What::Backup(args)) => backup::run(args, variables).await,
    }
}

async fn serve(variables: &Variables) -> Result<ExitCode, CliError> {
    let mut signals = server::signals()?;
    let settings = brain::settings::from_environment(variables).map_err(SettingsError)?;
    let (metrics, losses) = Metrics::with(Losses::registered);
    let otlp =
        otlp::start(variables, &[Signal::Traces, Signal::Logs], "routing-brain", &losses).map_err(SettingsError)?;
    let store = tokio::select! {
        opened = open(&settings, metrics) => opened?,
        // A database server that is away is waited for.
        () = signals.arrived() => return Ok(ExitCode::SUCCESS),
    };
    let listener = listen(&settings, &store).await?;
    if settings.token.is_none() {
        tracing::warn!("BRAIN_TOKEN is not set: anyone who reaches the port can report outcomes, and so steer routes");
    }
    let address = server::shown(settings.bind, settings.port);
    tracing::info!(address, database = settings.database.shown(), "the brain is listening");
    let shutdown = Shutdown::default();
    let signals = tokio::spawn(shutdown.clone().on_signals(signals, || GRACE));
    let ends = Ends { stopping: shutdown.stopping.clone(), hard_stop: shutdown.hard_stop.clone() };
    let app = http::app_that_reports(
        store.clone(),
        &settings,
        ends,
        Reports { on_judged: evaluation::reporting(&otlp), tracing: otlp.tracing() },
    );
    let limits = Limits::of_callers(settings.connections, 1);
    server::until_stopped(listener, app, limits, &shutdown).await;
    store.close().await;
    otlp.flush().await;
    shutdown.stopped.cancel();
    signals.await.map_err(|panicked| ServeError::Ended(panicked.into()))?;
    Ok(ExitCode::SUCCESS)
}

/// Listens where the settings say. If it cannot, the database is closed: only what was left open is checked by the next start.
pub(super) async fn listen(settings: &Settings, store: &Store) -> Result<TcpListener, ServeError> {
    let listening = server::listen(settings.bind, settings.port, "BRAIN_PORT");
    if listening.is_err() {
        store.close().await;
    }
    listening
}

/// Opens the database. That of an earlier version is used where it is, and the log says so.
pub(super) async fn open(settings: &Settings, metrics: Metrics) -> Result<Store, CliError> {
    if let Place::Earlier { instead } = &settings.place {
        tracing::warn!(
            database = settings.database.shown(),
            instead = instead.shown(),
            "an earlier version kept outcomes in this folder, and they are used; to move them to the user's data \
             folder, stop this program and move the file to the path in `instead`"
        );
    }
    Store::open_measured(&settings.database, metrics).await.map_err(|error| CliError::Store { error })
}
