//! Copies the file of a SQLite database while a brain serves and writes it, by SQLite itself.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use sqlx::Connection;
use tempfile::NamedTempFile;

use crate::{
    copy,
    settings::DatabaseUrl,
    store::{
        StoreError,
        open::{self, SOUND, beside},
    },
};

/// One transaction that reads everything and writes it, packed, into another file.
const COPY: &str = "VACUUM INTO $1";
const CHECK: &str = "PRAGMA integrity_check(1)";
/// How the name of a journal ends.
const JOURNAL: &str = "-journal";

/// A backup that is on disk.
#[derive(Debug)]
pub struct BackedUp {
    /// The file's size in bytes.
    pub bytes: u64,
    /// Each table with its number of rows.
    pub tables: Vec<(&'static str, u64)>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Its server has a program of its own.
    #[error(
        "{database} is on a Postgres server, whose own program makes the backup: \
         (umask 077; pg_dump --format=custom --file={} --username=USER {database}) (the password: in PGPASSWORD or ~/.pgpass)",
        file.display()
    )]
    Postgres {
        /// Which it is.
        database: String,
        /// Where the backup was to be.
        file: PathBuf,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Open(#[from] StoreError),
    /// A backup is only replaced if that was asked for.
    #[error("{} exists already: name another file, for example with the date in it, or give --replace", .0.display())]
    Exists(PathBuf),
    /// A folder was named, not a file.
    #[error("{} is a folder: name a file in it, for example {}", .0.display(), .0.join("brain-backup.db").display())]
    Folder(PathBuf),
    /// The file cannot be written.
    #[error("the backup {} cannot be written; its folder must exist, be writable and have room", file.display())]
    Write {
        /// Which it is.
        file: PathBuf,
        /// Why it cannot be written.
        source: io::Error,
    },
    /// It would be lost with its backup.
    #[error("{} is the database itself, or a part of it; name another file", .0.display())]
    Itself(PathBuf),
    /// SQLite could not copy or read it.
    #[error("the backup {} could not be made; no file is left", file.display())]
    Sqlite {
        /// Which it is.
        file: PathBuf,
        /// Why it could not.
        source: sqlx::Error,
    },
    /// What was copied is damaged.
    #[error("the copy of {database} is damaged, so there is no backup; restore an earlier one ({found})")]
    Damaged {
        /// Which it is.
        database: String,
        /// What SQLite says of it.
        found: String,
    },
}

/// Copies the database into `file`, which its owner alone may read: as a whole, checked and on disk, or not at all.
///
/// # Errors
/// Why there is no backup. A file that was there before is untouched.
pub async fn backup(url: &DatabaseUrl, file: &Path, replace: bool) -> Result<BackedUp, BackupError> {
    if url.path().is_none() {
        return Err(BackupError::Postgres { database: url.shown(), file: file.into() });
    }
    if file.is_dir() {
        return Err(BackupError::Folder(file.into()));
    }
    if url.path().is_some_and(|own| is_part_of(own, file)) {
        return Err(BackupError::Itself(file.into()));
    }
    if !replace && file.exists() {
        return Err(BackupError::Exists(file.into()));
    }
    let write = |source| BackupError::Write { file: file.into(), source };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Removed when this returns early. It is beside the file, so that it can be renamed, and nobody else may read it.
    let partial = tempfile::Builder::new().prefix(".brain-backup-").suffix(".partial").tempfile_in(folder);
    let partial = partial.map_err(write)?;
    let journal = Journal(beside(partial.path(), JOURNAL));
    let tables = copied(url, file, partial.path()).await?;
    drop(journal);
    partial.as_file().sync_all().map_err(write)?;
    let bytes = partial.as_file().metadata().map_err(write)?.len();
    rename(partial, file, replace)?;
    // Its name is on disk, too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(write)?;
    Ok(BackedUp { bytes, tables })
}

/// What SQLite writes beside the copy is gone with it, also if this ends early.
struct Journal(PathBuf);

impl Drop for Journal {
    fn drop(&mut self) {
        // Mostly there is none any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether a file is the database itself, or one that SQLite keeps beside it.
fn is_part_of(database: &Path, file: &Path) -> bool {
    let same = |one: &Path| match (std::fs::metadata(one), std::fs::metadata(file)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        // A name that is free now may be one of those.
        _ => std::path::absolute(one).ok().zip(std::path::absolute(file).ok()).is_some_and(|(one, other)| one == other),
    };
    ["", "-wal", "-shm", JOURNAL].iter().any(|suffix| same(&beside(database, suffix)))
}

async fn copied(url: &DatabaseUrl, file: &Path, partial: &Path) -> Result<Vec<(&'static str, u64)>, BackupError> {
    let sqlite = |source| BackupError::Sqlite { file: file.into(), source };
    let mut source = open::existing(url).await?;
    let path = partial.to_string_lossy();
    sqlx::query(COPY).bind(&*path).execute(&mut source).await.map_err(sqlite)?;
    source.close().await.map_err(sqlite)?;
    // Its schema is looked at, too, and it stays one file.
    let mut copy = open::existing(&DatabaseUrl::sqlite(partial)).await?;
    let found: String = sqlx::query_scalar(CHECK).fetch_one(&mut copy).await.map_err(sqlite)?;
    if found != SOUND {
        return Err(BackupError::Damaged { database: url.shown(), found });
    }
    let tables = copy::counts(&mut copy).await.map_err(sqlite)?;
    copy.close().await.map_err(sqlite)?;
    Ok(tables)
}

fn rename(partial: NamedTempFile, file: &Path, replace: bool) -> Result<(), BackupError> {
    let renamed = if replace { partial.persist(file) } else { partial.persist_noclobber(file) };
    renamed.map(drop).map_err(|failed| match failed.error {
        error if error.kind() == io::ErrorKind::AlreadyExists => BackupError::Exists(file.into()),
        source => BackupError::Write { file: file.into(), source },
    })
}

#[cfg(test)]
mod tests;
