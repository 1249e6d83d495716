//! Opens the database, proves that it can be written, and says what to do when it cannot.

use std::{
    fs::{Metadata, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    SqlitePool,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::StoreError;

/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const TABLES: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE name = '_sqlx_migrations') FROM sqlite_master \
     WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An open database.
pub(super) struct Database {
    pub(super) readers: SqlitePool,
    pub(super) writing: SqlitePool,
    pub(super) file: File,
}

/// Which file is open: it can be deleted or replaced while it is.
pub(super) struct File {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl File {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.into(), device_and_inode: identity(&std::fs::metadata(path)?) })
    }

    /// Whether the path still leads to the open file. What is written to another is lost.
    pub(super) fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.device_and_inode)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens the database of a file, creating the file and its folder.
pub(super) async fn open(path: &Path) -> Result<Database, StoreError> {
    let failed = |(cure, source)| StoreError::Open { path: path.into(), cure, source };
    connect(path).await.map_err(failed)
}

async fn connect(path: &Path) -> Result<Database, (&'static str, Cause)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    create_private(path).map_err(io)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An entry is acknowledged when its commit is on disk: FULL syncs the log at every commit.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let single = SqlitePoolOptions::new().max_connections(1);
    let writing = single.connect_with(options.clone()).await.map_err(database)?;
    let (tables, migrations): (i64, i64) = sqlx::query_as(TABLES).fetch_one(&writing).await.map_err(database)?;
    if tables > 0 && migrations == 0 {
        return Err((FOREIGN, "it has tables that the brain did not create".into()));
    }
    sqlx::migrate!().run(&writing).await.map_err(migration)?;
    // A real write: a file on a full or read-only disk would otherwise be noticed by the first report.
    sqlx::query("PRAGMA user_version = 1").execute(&writing).await.map_err(database)?;
    let readers = SqlitePoolOptions::new().max_connections(READERS);
    let readers = readers.connect_with(options).await.map_err(database)?;
    Ok(Database { readers, writing, file: File::of(path).map_err(io)? })
}

/// Creates the file with access for its owner only, because messages may be private. SQLite gives the files that it
/// adds the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let private = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    match private {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

const NOT_WRITABLE: &str = "make its folder writable, or set BRAIN_DATABASE_URL to another file";
const DAMAGED: &str = "it is damaged or not a SQLite file: restore a backup, or move it away to begin anew";
const FULL: &str = "free space on its disk";
const LOCKED: &str = "another program writes it: stop that one";
const NEWER: &str = "a newer version wrote it: start that version, or restore a backup from before it";
const FOREIGN: &str = "it belongs to another program: set BRAIN_DATABASE_URL to another file";

fn io(error: std::io::Error) -> (&'static str, Cause) {
    let cure = if error.kind() == std::io::ErrorKind::StorageFull { FULL } else { NOT_WRITABLE };
    (cure, error.into())
}

fn database(error: sqlx::Error) -> (&'static str, Cause) {
    (cure(&error), error.into())
}

fn migration(error: MigrateError) -> (&'static str, Cause) {
    let cure = match &error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => NEWER,
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => cure(error),
        _ => DAMAGED,
    };
    (cure, error.into())
}

/// What to do about a failure, by SQLite's primary result code.
fn cure(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => LOCKED,
        Some(11 | 26) => DAMAGED,
        Some(13) => FULL,
        _ => NOT_WRITABLE,
    }
}
