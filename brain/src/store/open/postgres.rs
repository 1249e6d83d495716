//! A database on a Postgres server, which may be away for a while.

mod failure;

use std::time::Duration;

use sqlx::{AnyConnection, AnyPool, Connection, any::AnyPoolOptions, migrate::Migrator};

pub(in crate::store) use self::failure::Failure;
use super::{Database, PROBE, READERS, StoreError, Writing, single, within};
use crate::{
    settings::{DatabaseUrl, PostgresUrl},
    store::ready::Ready,
};

/// Its own changes of the schema.
pub(in crate::store) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that was idle, or whose query was given up, may take to show that it lives.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long the answer to a query, to the statements of one entry, or to adding to one sum, is waited for. Longer than the
/// server takes to give them up by itself, which says more.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is tried to reach a server that was away at the start.
const AGAIN: Duration = Duration::from_secs(1);
const TABLES: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE table_name = '_sqlx_migrations') \
     FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";
/// An entry is acknowledged when its commit is on disk, also where the server's default is not to wait for that. No
/// statement, no idle transaction and no client that is gone holds a lock for long.
const SETTINGS: &str = "SET statement_timeout = '12s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '10s'; \
     SET tcp_user_timeout = '10s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
/// After [`SETTINGS`], where one transaction copies everything.
const PATIENT: &str =
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'";

/// Opens the database. A server that is away is waited for in the background.
pub(super) async fn open(url: &PostgresUrl) -> Result<Database, StoreError> {
    let ready = match prepare(url).await {
        Ok(()) => Ready::now(),
        Err(failure) if failure.passes => wait(url.clone(), &failure),
        Err(Failure { cure, source, .. }) => {
            return Err(StoreError::Open { database: url.shown().into(), cure, source: source.into() });
        }
    };
    let readers = pool(url).map_err(|error| Failure::of(error).into_error(url))?;
    let writing = Writing::new(DatabaseUrl::Postgres(url.clone()));
    Ok(Database { readers, writing, file: None, unchecked: false, ready })
}

/// A connection to a database whose schema is brought up to date before.
pub(super) async fn prepared(url: &PostgresUrl) -> Result<AnyConnection, StoreError> {
    prepare(url).await.map_err(|failure| failure.into_error(url))?;
    existing(url).await
}

/// A connection to a database as it is. Its transactions may take long.
pub(super) async fn existing(url: &PostgresUrl) -> Result<AnyConnection, StoreError> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, async {
        let mut connection = single::connect(url.whole()).await?;
        sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
        sqlx::raw_sql(PATIENT).execute(&mut connection).await?;
        Ok(connection)
    });
    connecting.await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| Failure::of(error).into_error(url))
}

/// Tries again until the schema is up to date.
fn wait(url: PostgresUrl, failure: &Failure) -> Ready {
    let said = |failure: &Failure| format!("the database {} cannot be used yet; {}", url.shown(), failure.cure);
    tracing::warn!(database = url.shown(), cause = failure.cause(), "waiting for the database; {}", failure.cure);
    let (state, ready) = Ready::later(said(failure));
    let url = url.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(AGAIN).await;
            match prepare(&url).await {
                Ok(()) => break,
                Err(failure) => {
                    state.because(format!("the database {} cannot be used yet; {}", url.shown(), failure.cure));
                }
            }
            if state.is_unwanted() {
                return;
            }
        }
        tracing::info!(database = url.shown(), "the database can be used");
        state.ready();
    });
    ready
}

/// Brings the schema up to date. Several that start at the same time do so one after the other.
async fn prepare(url: &PostgresUrl) -> Result<(), Failure> {
    let mut connection = reach(url).await.map_err(Failure::of)?;
    let (tables, migrations): (i64, i64) =
        sqlx::query_as(TABLES).fetch_one(&mut connection).await.map_err(Failure::of)?;
    if tables > 0 && migrations == 0 {
        return Err(Failure::foreign());
    }
    super::migrations(&MIGRATIONS).run_direct(None, &mut connection, false).await.map_err(Failure::of_migration)?;
    sqlx::raw_sql(PROBE).execute(&mut connection).await.map_err(Failure::of)?;
    connection.close().await.map_err(Failure::of)
}

async fn reach(url: &PostgresUrl) -> Result<AnyConnection, sqlx::Error> {
    within(Some(CONNECT_TIMEOUT), AnyConnection::connect(url.whole())).await
}

/// A connection with the settings that all have.
pub(super) async fn connect(url: &PostgresUrl) -> Result<AnyConnection, sqlx::Error> {
    let mut connection = reach(url).await?;
    within(Some(ANSWERS_WITHIN), sqlx::raw_sql(SETTINGS).execute(&mut connection)).await?;
    Ok(connection)
}

/// Whether the server answers on a connection.
pub(super) async fn answers(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    within(Some(ANSWERS_WITHIN), connection.ping()).await
}

/// A connection that does not answer in time has no place in the pool: neither one that was idle, nor one whose query was
/// given up, which the driver would otherwise wait for without a limit.
fn pool(url: &PostgresUrl) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async { answers(connection).await.map(|()| true) }))
        .after_release(|connection, _| Box::pin(async { answers(connection).await.map(|()| true) }))
        .after_connect(|connection, _| Box::pin(async { sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop) }))
        .connect_lazy(url.whole())
}
