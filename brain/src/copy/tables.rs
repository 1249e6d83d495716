//! What is copied: every table, with the columns that the databases themselves name.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::value::Kind;

/// Every table of a brain. A test compares this with the schema of both kinds of database.
pub const TABLES: [&str; 8] =
    ["entries", "decisions", "outcomes", "reviews", "gradings", "resets", "counts", "spending"];

/// A table and its columns.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<(String, Kind)>,
}

const IN_SQLITE: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
const IN_POSTGRES: &str = "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns \
     WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";

impl Table {
    /// The columns of a table as a database has them.
    pub(super) async fn read(connection: &mut AnyConnection, name: &'static str) -> Result<Self, sqlx::Error> {
        let query = if is_postgres(connection) { IN_POSTGRES } else { IN_SQLITE };
        let columns: Vec<(String, String)> = sqlx::query_as(query).bind(name).fetch_all(connection).await?;
        let column = |(column, declared): (String, String)| {
            let kind = Kind::declared(&declared);
            let unknown =
                || sqlx::Error::Protocol(format!("{name}.{column} is declared {declared}, which no brain knows"));
            Ok((column.clone(), kind.ok_or_else(unknown)?))
        };
        Ok(Self { name, columns: columns.into_iter().map(column).collect::<Result<_, sqlx::Error>>()? })
    }

    /// Their names, separated by commas.
    pub(super) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// How many rows each table has.
pub(crate) async fn counts(connection: &mut AnyConnection) -> Result<Vec<(&'static str, u64)>, sqlx::Error> {
    let mut counts = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(query).fetch_one(&mut *connection).await?;
        counts.push((table, u64::try_from(rows).unwrap_or_default()));
    }
    Ok(counts)
}

pub(super) fn is_postgres(connection: &AnyConnection) -> bool {
    connection.backend_name() == crate::store::open::POSTGRES
}
