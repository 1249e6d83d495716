//! Opens the database, proves that it can be written, and says what to do when it cannot.

mod file;
mod integrity;
mod mark;
mod postgres;
mod schema;
mod single;
mod sqlite;
mod writing;

use std::time::Duration;

use sqlx::{
    AnyConnection, AnyPool,
    migrate::{Migration, Migrator},
};

pub(super) use self::{
    file::File,
    integrity::{Finding, check},
    postgres::Failure,
    sqlite::LOG,
    writing::{Committed, Writing},
};
pub(crate) use self::{
    file::beside,
    integrity::SOUND,
    single::{existing, prepared},
};
use super::{StoreError, ready::Ready};
use crate::settings::DatabaseUrl;

/// Connections that read at the same time.
const READERS: u32 = 4;
/// What changes the schema of a database of either kind, after what its own folder has.
static OF_BOTH: Migrator = sqlx::migrate!("./migrations");

/// As the driver names itself.
pub(crate) const POSTGRES: &str = "PostgreSQL";
/// The key of the lock that a brain holds while it writes, in Postgres: the bytes of "routing".
const WRITERS_LOCK: i64 = 0x72_6f75_7469_6e67;

/// How a transaction that writes begins. In SQLite at once: one that reads first could not write after another process wrote.
const WRITE_IN_SQLITE: &str = "BEGIN IMMEDIATE";
/// See [`WRITE_IN_SQLITE`].
const WRITE_IN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const LOCK_WRITERS: &str = "SELECT pg_advisory_xact_lock($1)";
/// Is refused where nothing can be written, such as on a standby.
const PROBE: &str = "DELETE FROM resets WHERE FALSE";

const NEWER: &str = "a newer version wrote it: start that version, or restore a backup from before it";

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An open database.
pub(super) struct Database {
    pub(super) readers: AnyPool,
    pub(super) writing: Writing,
    /// The file, if it is one.
    pub(super) file: Option<File>,
    /// Whether it is a file that a brain did not close, and that was not found sound since.
    pub(super) unchecked: bool,
    pub(super) ready: Ready,
}

/// Opens the database, creating what is missing.
pub(super) async fn open(url: &DatabaseUrl) -> Result<Database, StoreError> {
    sqlx::any::install_default_drivers();
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::open(path).await,
        DatabaseUrl::Postgres(url) => postgres::open(url).await,
    }
}

/// Whether a value caused a failure, and not the state of the database.
pub(super) fn is_of_an_entry(error: &sqlx::Error) -> bool {
    sqlite::is_of_a_value(error) || Failure::is_of_a_value(error)
}

/// What to do about a failure while the brain runs, if that is known.
pub(super) fn known_cure(error: &sqlx::Error) -> Option<&'static str> {
    sqlite::known_cure(error).or_else(|| Failure::known_cure(error))
}

/// Why a database cannot be used that could be opened.
pub(super) fn unreadable(url: &DatabaseUrl, error: sqlx::Error) -> StoreError {
    let cure = match url {
        DatabaseUrl::Sqlite(_) => sqlite::cure(&error),
        DatabaseUrl::Postgres(_) => Failure::cure_of(&error),
    };
    StoreError::Open { database: url.shown(), cure, source: error.into() }
}

/// The changes of one kind of database, then those of both.
fn migrations(own: &Migrator) -> Migrator {
    let mut all: Vec<Migration> = own.iter().chain(OF_BOTH.iter()).cloned().collect();
    all.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(all)
}

/// The answer of a database, if it comes in time: a network can swallow what was sent.
///
/// # Errors
/// The database failed, or did not answer.
pub(crate) async fn within<T, E: From<sqlx::Error>>(
    patience: Option<Duration>,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(patience) = patience else { return answer.await };
    let late = || {
        let text = format!("no answer within {} s", patience.as_secs());
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)).into()
    };
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| Err(late()))
}

impl DatabaseUrl {
    /// How long an answer is waited for; none: as long as it takes, because a file of this machine is on no network.
    pub(super) fn patience(&self) -> Option<Duration> {
        matches!(self, Self::Postgres(_)).then_some(postgres::PATIENCE)
    }
}

/// Begins a transaction that writes, as [`Writing::begin`] does, on a connection of its own.
pub(crate) async fn begin_alone(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    if connection.backend_name() != POSTGRES {
        return sqlx::raw_sql(WRITE_IN_SQLITE).execute(connection).await.map(drop);
    }
    sqlx::raw_sql(WRITE_IN_POSTGRES).execute(&mut *connection).await?;
    sqlx::query(LOCK_WRITERS).bind(WRITERS_LOCK).execute(connection).await.map(drop)
}
