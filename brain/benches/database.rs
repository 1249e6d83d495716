//! The databases on which benchmarks run: a file, and a real Postgres server, both on this machine's disk.

use std::path::PathBuf;

use brain::settings::DatabaseUrl;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;
use tests::postgres::Postgres;

/// A database that is gone when this is dropped.
pub enum Database {
    Sqlite(TempDir),
    Postgres(Postgres),
}

// Not every benchmark uses all of it.
#[allow(dead_code)]
impl Database {
    /// One of each kind, both new.
    pub async fn of_each_kind() -> [Self; 2] {
        [Self::sqlite(), Self::postgres().await]
    }

    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a folder"))
    }

    pub async fn postgres() -> Self {
        Self::Postgres(Postgres::start().await)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "Postgres",
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(folder) => DatabaseUrl::sqlite(file(folder)),
            Self::Postgres(server) => DatabaseUrl::parse(&server.url("postgres")).expect("a URL"),
        }
    }
}

/// How a benchmark writes more than a brain would. Not every benchmark does.
#[allow(dead_code)]
impl Database {
    /// A connection of its own.
    pub async fn connection(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match self {
            Self::Sqlite(folder) => format!("sqlite://{}", file(folder).display()),
            Self::Postgres(server) => server.url("postgres"),
        };
        AnyConnection::connect(&url).await.expect("connects")
    }

    /// Its size in MiB.
    pub fn mebibytes(&self) -> u64 {
        let bytes = match self {
            Self::Sqlite(folder) => std::fs::metadata(file(folder)).map(|m| m.len()).unwrap_or_default(),
            Self::Postgres(server) => {
                server.sql("postgres", "SELECT pg_database_size(current_database())").parse().expect("a number")
            }
        };
        bytes / 1024 / 1024
    }

    /// A subquery of the numbers from 0, as `i`.
    pub fn numbers(&self, count: i64) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) SELECT i FROM n) AS n"
            ),
            Self::Postgres(_) => format!("generate_series(0::bigint, {count} - 1) AS n(i)"),
        }
    }

    /// The number `i` as an id of 16 digits.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "printf('%016x', i)",
            Self::Postgres(_) => "lpad(to_hex(i), 16, '0')",
        }
    }

    /// What makes a large number of rows faster to write, and afterwards known to the planner, as it is in a database
    /// that grew over time.
    pub fn before_and_after(&self) -> [&'static str; 2] {
        match self {
            Self::Sqlite(_) => ["PRAGMA synchronous = OFF", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Self::Postgres(_) => ["SET synchronous_commit = off", "VACUUM ANALYZE"],
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("brain.db")
}
