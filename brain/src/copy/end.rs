//! One end of a copy: a connection with its transaction.

use std::{future::Future, time::Duration};

use sqlx::AnyConnection;

use super::{error::CopyError, tables::is_postgres};
use crate::{settings::DatabaseUrl, store::open};

/// How long one step may take, such as a batch, a count or the commit.
const STEP: Duration = Duration::from_secs(600);
const SNAPSHOT_IN_SQLITE: &str = "BEGIN";
/// What is read later is of the time of the first statement.
const SNAPSHOT_IN_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A connection with an open transaction. If it is dropped, the transaction is as if it had never been.
pub(super) struct End {
    pub(super) connection: AnyConnection,
    /// Where the database is named, in messages.
    argument: &'static str,
    database: String,
}

impl End {
    /// Begins to read a snapshot.
    pub(super) async fn reading(
        connection: AnyConnection,
        argument: &'static str,
        url: &DatabaseUrl,
    ) -> Result<Self, CopyError> {
        let statement = if is_postgres(&connection) { SNAPSHOT_IN_POSTGRES } else { SNAPSHOT_IN_SQLITE };
        let mut end = Self { connection, argument, database: url.shown() };
        end.run(statement).await?;
        Ok(end)
    }

    /// Begins to write. No brain writes until it ends.
    pub(super) async fn writing(
        connection: AnyConnection,
        argument: &'static str,
        url: &DatabaseUrl,
    ) -> Result<Self, CopyError> {
        let mut end = Self { connection, argument, database: url.shown() };
        let begun = open::begin_alone(&mut end.connection).await;
        begun.map_err(|error| end.failed(error))?;
        Ok(end)
    }

    /// What was written is there from now on.
    pub(super) async fn commit(mut self) -> Result<(), CopyError> {
        self.run("COMMIT").await?;
        if is_postgres(&self.connection) {
            // Its planner knows nothing of the rows yet. They are there, whatever becomes of this.
            let _ = within(sqlx::raw_sql("ANALYZE").execute(&mut self.connection)).await;
        }
        // It is committed, whatever becomes of the connection.
        let _ = sqlx::Connection::close(self.connection).await;
        Ok(())
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), CopyError> {
        let ran = within(sqlx::raw_sql(statement).execute(&mut self.connection)).await;
        ran.map(drop).map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> CopyError {
        CopyError::Failed { argument: self.argument, database: self.database.clone(), error }
    }

    /// What [`Self::failed`] needs, while the connection is in use.
    pub(super) fn split(&mut self) -> (&mut AnyConnection, impl Fn(sqlx::Error) -> CopyError + use<>) {
        let (argument, database) = (self.argument, self.database.clone());
        (&mut self.connection, move |error| CopyError::Failed { argument, database: database.clone(), error })
    }

    pub(super) fn is_postgres(&self) -> bool {
        is_postgres(&self.connection)
    }
}

/// A server that is gone may not say so.
pub(super) async fn within<T>(step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    open::within(Some(STEP), step).await
}
