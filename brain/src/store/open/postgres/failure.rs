//! What a failure of a Postgres server means, and what to do about it.

use crds::shown;
use sqlx::migrate::MigrateError;

use super::StoreError;
use crate::{settings::PostgresUrl, store::open::NEWER};

/// A failure.
#[derive(Debug)]
pub(in crate::store) struct Failure {
    /// What to do about it.
    pub(in crate::store) cure: &'static str,
    /// Whether it can pass while the brain runs.
    pub(in crate::store) passes: bool,
    pub(in crate::store) source: sqlx::Error,
}

/// Length of a code of SQL's; SQLite has other codes.
const SQLSTATE: usize = 5;
const AWAY: &str = "start the server or correct its address in BRAIN_DATABASE_URL; the brain tries again by itself";
const BUSY: &str = "it is starting, stopping or has too many connections; the brain tries again by itself";
const LOCKED: &str = "another session holds a lock on its tables: end that one; the brain tries again by itself";
const SLOW: &str = "the server took too long: see what else it does; the brain tries again by itself";
const READ_ONLY: &str = "it is read-only: name the primary in BRAIN_DATABASE_URL, or make it writable";
const FULL: &str = "free space on the server's disk";
const TLS: &str = "set sslmode and sslrootcert in BRAIN_DATABASE_URL to what the server offers";
const PASSWORD: &str = "set its user and password in BRAIN_DATABASE_URL";
const MISSING: &str = "create it, or name another in BRAIN_DATABASE_URL";
const RIGHTS: &str = "make the user the owner of the database and its tables, or grant CREATE on its schema and SELECT, INSERT, \
     UPDATE and DELETE on all tables";
const FOREIGN: &str = "it belongs to another program: name an empty one in BRAIN_DATABASE_URL";
const OTHER: &str = "see the server's log";

impl Failure {
    pub(in crate::store) fn of(source: sqlx::Error) -> Self {
        let (cure, passes) = meaning(&source);
        Self { cure, passes, source }
    }

    /// Whether a failure can pass while the brain runs.
    pub(in crate::store) fn passes(error: &sqlx::Error) -> bool {
        meaning(error).1
    }

    /// Whether it is of class 22 or 54: a character that its encoding lacks, for example, or a text that is too long for an
    /// index.
    pub(in crate::store) fn is_of_a_value(error: &sqlx::Error) -> bool {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        code.len() == SQLSTATE && (code.starts_with("22") || code.starts_with("54"))
    }

    /// What to do about a failure, if that is known.
    pub(in crate::store) fn known_cure(error: &sqlx::Error) -> Option<&'static str> {
        Some(meaning(error).0).filter(|cure| *cure != OTHER)
    }

    pub(in crate::store) fn cure_of(error: &sqlx::Error) -> &'static str {
        meaning(error).0
    }

    pub(super) fn of_migration(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::of(error),
            newer => Self { cure: NEWER, passes: false, source: newer.into() },
        }
    }

    pub(super) fn foreign() -> Self {
        let source = sqlx::Error::Protocol("it has tables that the brain did not create".into());
        Self { cure: FOREIGN, passes: false, source }
    }

    pub(super) fn into_error(self, url: &PostgresUrl) -> StoreError {
        StoreError::Open { database: url.shown().into(), cure: self.cure, source: self.source.into() }
    }

    pub(super) fn cause(&self) -> String {
        shown::chain(&self.source)
    }
}

/// What to do, and whether it can pass.
fn meaning(error: &sqlx::Error) -> (&'static str, bool) {
    let code = match error {
        sqlx::Error::Database(error) => error.code().map(std::borrow::Cow::into_owned).unwrap_or_default(),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => return (AWAY, true),
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => return (TLS, false),
        _ => return (OTHER, false),
    };
    // The codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
    match &*code {
        "28P01" | "28000" => (PASSWORD, false),
        "3D000" => (MISSING, false),
        "42501" => (RIGHTS, false),
        "25006" => (READ_ONLY, true),
        "53100" => (FULL, true),
        "55P03" => (LOCKED, true),
        "57014" => (SLOW, true),
        "53300" | "57P01" | "57P02" | "57P03" | "25P03" | "40P01" => (BUSY, true),
        code if code.starts_with("08") => (AWAY, true),
        _ => (OTHER, false),
    }
}
