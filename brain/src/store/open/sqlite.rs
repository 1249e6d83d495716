//! A database in an SQLite file.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path};

use sqlx::{
    AnyConnection, AnyPool, Connection,
    any::AnyPoolOptions,
    error::DatabaseError,
    migrate::{MigrateError, Migrator},
    sqlite::SqliteError,
};

use super::{Cause, Database, File, NEWER, READERS, Ready, StoreError, Writing, beside, mark, single};
use crate::settings::DatabaseUrl;

/// What to do, and why.
pub(super) type Why = (&'static str, Cause);

/// Its own changes of the schema, with which existing files were made.
pub(in crate::store) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
const TABLES: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE name = '_sqlx_migrations') FROM sqlite_master \
     WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
/// A statement waits 5 s for another process that writes. An entry is acknowledged when its commit is on disk: FULL syncs
/// the log at every commit.
const SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

/// The first of them alone: the others change the file.
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";
/// A URL's mode in which a missing file is created.
const CREATES: &str = "rwc";
/// How the name of SQLite's log beside a file ends.
pub(in crate::store) const LOG: &str = "-wal";
/// The bytes of the longest file that SQLite takes for a new one.
const NEW_MAX: u64 = 1;

/// Opens the database of a file, creating the file and its folder.
pub(super) async fn open(path: &Path) -> Result<Database, StoreError> {
    let failed = |(cure, source)| StoreError::Open { database: path.display().to_string(), cure, source };
    connect(path).await.map_err(failed)
}

async fn connect(path: &Path) -> Result<Database, Why> {
    let unchecked = create(path, true).await?;
    let readers = pool(path, READERS).await.map_err(database)?;
    let writing = Writing::new(DatabaseUrl::sqlite(path));
    Ok(Database { readers, writing, file: Some(File::of(path).map_err(io)?), unchecked, ready: Ready::now() })
}

/// Creates the file and its folder, if they are missing, and brings the schema up to date. Whether a brain did not close it.
async fn create(path: &Path, for_a_brain: bool) -> Result<bool, Why> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    if !create_private(path).map_err(io)? {
        notice_emptied(path)?;
    }
    prepare(path, for_a_brain).await
}

/// A connection to a file that exists, which nothing is changed in: also a backup stays one file.
pub(super) async fn existing(path: &Path) -> Result<AnyConnection, Why> {
    std::fs::metadata(path).map_err(|error| (MISSING, error.into()))?;
    let mut connection = single::connect(&url(path, "rw")).await.map_err(database)?;
    sqlx::raw_sql(PATIENCE).execute(&mut connection).await.map_err(database)?;
    Ok(connection)
}

/// As [`existing`], to write.
pub(super) async fn prepared(path: &Path) -> Result<AnyConnection, Why> {
    create(path, false).await?;
    let mut connection = existing(path).await?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await.map_err(database)?;
    Ok(connection)
}

/// Brings the schema up to date, on a connection of its own: a pool would try again and again, and tell no reason.
async fn prepare(path: &Path, for_a_brain: bool) -> Result<bool, Why> {
    let mut connection = AnyConnection::connect(&url(path, CREATES)).await.map_err(database)?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await.map_err(database)?;
    let (tables, migrations): (i64, i64) = sqlx::query_as(TABLES).fetch_one(&mut connection).await.map_err(database)?;
    if tables > 0 && migrations == 0 {
        return Err((FOREIGN, "it has tables that the brain did not create".into()));
    }
    super::migrations(&MIGRATIONS).run_direct(None, &mut connection, false).await.map_err(migration)?;
    let was_open = mark::is_opened(&mut connection).await.map_err(database)?;
    let says = if for_a_brain || was_open { mark::OPENED } else { mark::CLOSED };
    // A real write: a file on a full or read-only disk would otherwise be noticed by the first report.
    sqlx::raw_sql(says).execute(&mut connection).await.map_err(database)?;
    connection.close().await.map_err(database)?;
    Ok(was_open)
}

async fn pool(path: &Path, connections: u32) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .after_connect(|connection, _| Box::pin(async { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) }))
        .connect(&url(path, "rw"))
        .await
}

/// A connection to write by. It creates no file: one that was deleted while the brain runs is not begun anew unnoticed.
pub(super) async fn connect_to_write(path: &Path) -> Result<AnyConnection, sqlx::Error> {
    let mut connection = AnyConnection::connect(&url(path, "rw")).await?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
    Ok(connection)
}

/// The path as a URL that leads to it, whatever characters it has.
pub(super) fn url(path: &Path, mode: &str) -> String {
    let encoded = |byte: &u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    let path: String = path.as_os_str().as_encoded_bytes().iter().map(encoded).collect();
    format!("sqlite:{path}?mode={mode}")
}

/// Creates the file with access for its owner only, because messages may be private. SQLite gives the files that it
/// adds the same mode. False: it is there already.
fn create_private(path: &Path) -> std::io::Result<bool> {
    let private = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    match private {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|_| true),
    }
}

/// SQLite takes a file of a byte at most for a new one, and deletes the log beside it. A new file has its first page before
/// it has a log, so the log is asked about first.
fn notice_emptied(path: &Path) -> Result<(), Why> {
    let has_log = std::fs::metadata(beside(path, LOG)).is_ok_and(|log| log.len() > 0);
    let found = std::fs::metadata(path).map_err(io)?;
    if !found.is_file() || found.len() > NEW_MAX {
        return Ok(());
    }
    if has_log {
        return Err((DAMAGED, "it is empty, but the log beside it is not".into()));
    }
    let database = path.display();
    tracing::warn!(%database, "the file of the database is empty and is begun anew; if it had entries, restore a backup");
    Ok(())
}

/// The primary code of a file in which SQLite finds what cannot be.
pub(super) const CORRUPT: u32 = 11;
/// The primary code of a file that is not SQLite's.
pub(super) const NOT_A_DATABASE: u32 = 26;

const MISSING: &str = "name the file of a brain";
const NOT_WRITABLE: &str = "make its folder writable, or set BRAIN_DATABASE_URL to another file";
const DAMAGED: &str = "it is damaged or not a SQLite file: restore a backup, or move it away to begin anew";
const FULL: &str = "free space on its disk";
const LOCKED: &str = "another program writes it: stop that one";
const FOREIGN: &str = "it belongs to another program: set BRAIN_DATABASE_URL to another file";

fn io(error: std::io::Error) -> Why {
    let cure = if error.kind() == std::io::ErrorKind::StorageFull { FULL } else { NOT_WRITABLE };
    (cure, error.into())
}

fn database(error: sqlx::Error) -> Why {
    (cure(&error), error.into())
}

fn migration(error: MigrateError) -> Why {
    let cure = match &error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => NEWER,
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => cure(error),
        _ => DAMAGED,
    };
    (cure, error.into())
}

pub(super) fn cure(error: &sqlx::Error) -> &'static str {
    known_cure(error).unwrap_or(if is_not_as_written(error) { DAMAGED } else { NOT_WRITABLE })
}

/// Whether tables or values are not what this program writes: the same statements do for every file that is whole.
fn is_not_as_written(error: &sqlx::Error) -> bool {
    use sqlx::Error::{AnyDriverError, ColumnDecode, Decode, WorkerCrashed};
    matches!(error, AnyDriverError(_) | ColumnDecode { .. } | Decode(_) | WorkerCrashed)
        || primary_code(error) == Some(1)
}

/// Whether a text or a row is too long for it.
pub(super) fn is_of_a_value(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(18)
}

/// SQLite's primary result code, if it is its failure.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}

/// What to do about a failure, by its primary result code.
pub(super) fn known_cure(error: &sqlx::Error) -> Option<&'static str> {
    match primary_code(error)? {
        5 | 6 => Some(LOCKED),
        8 | 14 => Some(NOT_WRITABLE),
        CORRUPT | NOT_A_DATABASE => Some(DAMAGED),
        13 => Some(FULL),
        _ => None,
    }
}
