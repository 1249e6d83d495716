//! Asks SQLite whether a file is sound. `quick_check` does not do: it compares no index with its table.

use std::{path::Path, str::FromStr};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::sqlite::{CORRUPT, NOT_A_DATABASE, primary_code, url};

/// With the number of messages after which it ends.
const CHECK: &str = "PRAGMA integrity_check(5)";
/// What the check says if there is nothing to say.
pub(crate) const SOUND: &str = "ok";
/// The primary code of a statement that was ended from outside.
const INTERRUPTED: u32 = 9;
/// Steps between two questions whether the check goes on. A step is a page of the file or an instruction of SQLite: few enough
/// for a slow disk.
const STEPS: i32 = 1000;

/// What a check found.
#[derive(Debug)]
pub(in crate::store) enum Finding {
    Sound,
    /// With what is wrong, as SQLite says it.
    Damaged(String),
    /// It was not to go on.
    Interrupted,
    /// The file could not be read.
    Failed(sqlx::Error),
}

/// Checks a file by a connection of its own, which only reads, for as long as `goes_on`.
pub(in crate::store) async fn check(path: &Path, goes_on: impl FnMut() -> bool + Send + 'static) -> Finding {
    match messages(path, goes_on).await {
        Ok(messages) if messages == [SOUND] => Finding::Sound,
        Ok(messages) => Finding::Damaged(messages.join("; ")),
        Err(error) => match primary_code(&error) {
            Some(INTERRUPTED) => Finding::Interrupted,
            Some(CORRUPT | NOT_A_DATABASE) => Finding::Damaged(error.to_string()),
            _ => Finding::Failed(error),
        },
    }
}

async fn messages(path: &Path, goes_on: impl FnMut() -> bool + Send + 'static) -> Result<Vec<String>, sqlx::Error> {
    // A check takes long: that is not logged as of a slow query.
    let options = SqliteConnectOptions::from_str(&url(path, "ro"))?.disable_statement_logging();
    let mut connection = options.connect().await?;
    let messages = asked(&mut connection, goes_on).await;
    // Before its answer counts: the last one to close the file must be one that can write.
    connection.close().await?;
    messages
}

async fn asked(
    connection: &mut SqliteConnection,
    goes_on: impl FnMut() -> bool + Send + 'static,
) -> Result<Vec<String>, sqlx::Error> {
    connection.lock_handle().await?.set_progress_handler(STEPS, goes_on);
    sqlx::query_scalar(CHECK).fetch_all(connection).await
}
