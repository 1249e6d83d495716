//! Opens the database, proves that it can be written, and says what to do when it cannot.

mod file;
mod sqlite;

use sqlx::{
    AnyPool,
    migrate::{Migration, Migrator},
};

pub(super) use self::file::File;
use super::StoreError;
use crate::settings::DatabaseUrl;

/// Connections that read at the same time.
const READERS: u32 = 4;
/// What changes the schema of a database of either kind, after what its own folder has.
static OF_BOTH: Migrator = sqlx::migrate!("./migrations");

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An open database.
pub(super) struct Database {
    pub(super) readers: AnyPool,
    pub(super) writing: AnyPool,
    /// The file, if it is one.
    pub(super) file: Option<File>,
}

/// Opens the database, creating what is missing.
pub(super) async fn open(url: &DatabaseUrl) -> Result<Database, StoreError> {
    sqlx::any::install_default_drivers();
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::open(path).await,
    }
}

/// The changes of one kind of database, then those of both.
fn migrations(own: &Migrator) -> Migrator {
    let mut all: Vec<Migration> = own.iter().chain(OF_BOTH.iter()).cloned().collect();
    all.sort_by_key(|migration| migration.version);
    Migrator::with_migrations(all)
}
