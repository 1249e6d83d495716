//! Opens the database, proves that it can be written, and says what to do when it cannot.

mod file;
mod postgres;
mod schema;
mod single;
mod sqlite;

use sqlx::{
    Any, AnyConnection, AnyPool, SqlSafeStr, Transaction,
    migrate::{Migration, Migrator},
};

pub(crate) use self::single::{existing, prepared};
pub(super) use self::{file::File, postgres::Failure};
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

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An open database.
pub(super) struct Database {
    pub(super) readers: AnyPool,
    pub(super) writing: AnyPool,
    /// The file, if it is one.
    pub(super) file: Option<File>,
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

/// The changes of one kind of database, then those of both.
fn migrations(own: &Migrator) -> Migrator {
    let mut all: Vec<Migration> = own.iter().chain(OF_BOTH.iter()).cloned().collect();
    all.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(all)
}

/// How a transaction that writes begins. In Postgres those of all brains run one after the other: what one reads, such as
/// the verdicts that stand, no other changes until it is committed.
pub(super) async fn begin(writing: &AnyPool) -> Result<Transaction<'static, Any>, sqlx::Error> {
    let connection = writing.acquire().await?;
    if connection.backend_name() != POSTGRES {
        return Transaction::begin(connection, Some(WRITE_IN_SQLITE.into_sql_str())).await;
    }
    let mut transaction = Transaction::begin(connection, Some(WRITE_IN_POSTGRES.into_sql_str())).await?;
    sqlx::query(LOCK_WRITERS).bind(WRITERS_LOCK).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// As [`begin`], on a connection of its own.
pub(crate) async fn begin_alone(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    if connection.backend_name() != POSTGRES {
        return sqlx::raw_sql(WRITE_IN_SQLITE).execute(connection).await.map(drop);
    }
    sqlx::raw_sql(WRITE_IN_POSTGRES).execute(&mut *connection).await?;
    sqlx::query(LOCK_WRITERS).bind(WRITERS_LOCK).execute(connection).await.map(drop)
}
