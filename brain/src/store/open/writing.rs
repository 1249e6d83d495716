//! The one connection that writes. It is kept only after a success: whoever takes it and fails leaves it closed, so that
//! nothing of a transaction whose end is not known stays open on this side.

use std::time::Duration;

use sqlx::{Any, AnyConnection, Connection, SqlSafeStr, Transaction};

use super::{LOCK_WRITERS, PROBE, WRITE_IN_POSTGRES, WRITE_IN_SQLITE, WRITERS_LOCK, mark, postgres, sqlite, within};
use crate::settings::DatabaseUrl;

/// How often a server is asked again what became of a commit.
const AGAIN: Duration = Duration::from_millis(500);
/// How long it is tried to find out what became of a commit: longer than a server keeps a transaction open for a client that
/// is gone.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
const IS_THERE: &str = "SELECT COUNT(*) FROM entries WHERE id = $1";

/// The connection that writes, opened when it is needed.
pub(in crate::store) struct Writing {
    url: DatabaseUrl,
    kept: Option<AnyConnection>,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Committed {
    Yes,
    No,
}

impl Writing {
    pub(super) fn new(url: DatabaseUrl) -> Self {
        Self { url, kept: None }
    }

    /// A connection that answers. It goes back by [`Self::keep`].
    pub(in crate::store) async fn connection(&mut self) -> Result<AnyConnection, sqlx::Error> {
        if let Some(mut kept) = self.kept.take() {
            let answered = match &self.url {
                DatabaseUrl::Sqlite(_) => true,
                DatabaseUrl::Postgres(_) => postgres::answers(&mut kept).await.is_ok(),
            };
            if answered {
                return Ok(kept);
            }
        }
        match &self.url {
            DatabaseUrl::Sqlite(path) => sqlite::connect_to_write(path).await,
            DatabaseUrl::Postgres(url) => postgres::connect(url).await,
        }
    }

    /// Takes a connection back that did what was asked of it.
    pub(in crate::store) fn keep(&mut self, connection: AnyConnection) {
        self.kept = Some(connection);
    }

    /// The answer of the database, if it comes in time. Of a file, it is waited for.
    // Not `&self`: a connection cannot be shared between threads, and the writer is a task.
    pub(in crate::store) async fn within<T, E: From<sqlx::Error>>(
        &mut self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        within(self.url.patience(), answer).await
    }

    /// How a transaction that writes begins. In Postgres those of all brains run one after the other: what one reads, such
    /// as the verdicts that stand, no other changes until it is committed.
    pub(in crate::store) async fn begin<'c>(
        &mut self,
        connection: &'c mut AnyConnection,
    ) -> Result<Transaction<'c, Any>, sqlx::Error> {
        let is_file = self.url.path().is_some();
        let begun = async {
            if is_file {
                return Transaction::begin(connection, Some(WRITE_IN_SQLITE.into_sql_str())).await;
            }
            let mut transaction = Transaction::begin(connection, Some(WRITE_IN_POSTGRES.into_sql_str())).await?;
            sqlx::query(LOCK_WRITERS).bind(WRITERS_LOCK).execute(&mut *transaction).await?;
            Ok(transaction)
        };
        self.within(begun).await
    }

    /// Finds out whether a transaction was committed, of which the answer to the commit was lost, by an entry that it wrote.
    ///
    /// # Errors
    /// The database could not be asked for a while.
    pub(in crate::store) async fn settle(&mut self, entry_id: &str) -> Result<Committed, sqlx::Error> {
        let settled = async {
            loop {
                match self.look(entry_id).await {
                    Err(error) if postgres::Failure::passes(&error) => tokio::time::sleep(AGAIN).await,
                    other => return other,
                }
            }
        };
        within(Some(SETTLED_WITHIN), settled).await
    }

    /// The lock of the writers is free only when the transaction that held it has ended, one way or the other.
    async fn look(&mut self, entry_id: &str) -> Result<Committed, sqlx::Error> {
        let mut connection = self.connection().await?;
        let mut transaction = self.begin(&mut connection).await?;
        let found: i64 = self
            .within(async {
                // A standby may not know yet what the primary has committed.
                sqlx::raw_sql(PROBE).execute(&mut *transaction).await?;
                sqlx::query_scalar(IS_THERE).bind(entry_id).fetch_one(&mut *transaction).await
            })
            .await?;
        self.within(transaction.rollback()).await?;
        self.keep(connection);
        Ok(if found > 0 { Committed::Yes } else { Committed::No })
    }

    /// Has a file say that it was closed as it should be.
    pub(in crate::store) async fn mark_closed(&mut self) -> Result<(), sqlx::Error> {
        let mut connection = self.connection().await?;
        sqlx::raw_sql(mark::CLOSED).execute(&mut connection).await?;
        self.keep(connection);
        Ok(())
    }

    /// Ends the connection, so that a file is left tidy.
    pub(in crate::store) async fn close(&mut self) {
        if let Some(connection) = self.kept.take() {
            // What was acknowledged is on disk already.
            let _ = self.within(connection.close()).await;
        }
    }
}
