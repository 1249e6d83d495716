//! A connection of its own to a database, for a command that reads or writes all of it.

use std::str::FromStr;

use sqlx::{
    AnyConnection, ConnectOptions,
    any::{AnyConnectOptions, install_default_drivers},
};

use super::{Failure, StoreError, migrations, postgres, schema, sqlite};
use crate::settings::DatabaseUrl;

/// A connection to a database of this version's schema, which is created if it is missing.
///
/// # Errors
/// [`StoreError::Open`] with the database and what to do.
pub(crate) async fn prepared(url: &DatabaseUrl) -> Result<AnyConnection, StoreError> {
    install_default_drivers();
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::prepared(path).await.map_err(|why| opening(url, why)),
        DatabaseUrl::Postgres(url) => postgres::prepared(url).await,
    }
}

/// A connection to a database that exists and has this version's schema. Nothing in it is changed.
///
/// # Errors
/// [`StoreError::Open`] with the database and what to do.
pub(crate) async fn existing(url: &DatabaseUrl) -> Result<AnyConnection, StoreError> {
    install_default_drivers();
    let (mut connection, own, cure): (_, _, fn(&sqlx::Error) -> _) = match url {
        DatabaseUrl::Sqlite(path) => {
            let connection = sqlite::existing(path).await.map_err(|why| opening(url, why))?;
            (connection, &sqlite::MIGRATIONS, sqlite::cure)
        }
        DatabaseUrl::Postgres(url) => (postgres::existing(url).await?, &postgres::MIGRATIONS, Failure::cure_of),
    };
    schema::check(&mut connection, &migrations(own), cure).await.map_err(|why| opening(url, why))?;
    Ok(connection)
}

/// Connects. Its statements are not logged: they are long, and that they take long is no news.
pub(super) async fn connect(url: &str) -> Result<AnyConnection, sqlx::Error> {
    AnyConnectOptions::from_str(url)?.disable_statement_logging().connect().await
}

fn opening(url: &DatabaseUrl, (cure, source): sqlite::Why) -> StoreError {
    StoreError::Open { database: url.shown(), cure, source }
}
