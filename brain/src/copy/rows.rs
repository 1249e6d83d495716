//! Rows are read and written in batches, so that memory is bounded however many there are.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::{StreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr, any::AnyRow};

use super::{
    end::{End, within},
    error::CopyError,
    tables::Table,
    value::Value,
};

/// Most values of a batch: SQLite takes 32,766 in a statement, and Postgres 65,535.
const VALUES: usize = 16_000;
/// A batch that is as large is not made larger, in bytes.
const BYTES: usize = 4 << 20;

/// Some rows of a table, one after the other.
pub(super) struct Batch {
    values: Vec<Value>,
    columns: usize,
}

impl Batch {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The values of each row.
    pub(super) fn by_row(&self) -> impl Iterator<Item = &[Value]> {
        self.values.chunks(self.columns)
    }
}

/// The rows of a table, in the order in which they come.
pub(super) struct Rows<'a, F> {
    table: &'a Table,
    stream: BoxStream<'a, Result<AnyRow, sqlx::Error>>,
    failed: F,
}

impl<'a> Rows<'a, ()> {
    pub(super) fn of(end: &'a mut End, table: &'a Table) -> Rows<'a, impl Fn(sqlx::Error) -> CopyError + use<>> {
        let (connection, failed) = end.split();
        let query = AssertSqlSafe(format!("SELECT {} FROM {}", table.names(), table.name));
        Rows { table, stream: sqlx::query(query).fetch(connection), failed }
    }
}

impl<F: Fn(sqlx::Error) -> CopyError> Rows<'_, F> {
    /// The next rows; none: there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, CopyError> {
        let columns = self.table.columns.len();
        let mut batch = Batch { values: Vec::with_capacity(VALUES), columns };
        let mut bytes = 0;
        while batch.values.len() + columns <= VALUES && bytes < BYTES {
            let row = within(async { self.stream.next().await.transpose() }).await.map_err(&self.failed)?;
            let Some(row) = row else { break };
            for (i, (column, kind)) in self.table.columns.iter().enumerate() {
                let misfit =
                    || CopyError::Misfit { table: self.table.name, column: column.clone(), kind: kind.shown() };
                let value = kind.of(&row, i).ok_or_else(misfit)?;
                bytes += value.size();
                batch.values.push(value);
            }
        }
        Ok((!batch.values.is_empty()).then_some(batch))
    }
}

/// The statements that write into a table.
pub(super) struct Inserts<'a> {
    table: &'a Table,
    of_postgres: bool,
    /// Of a full batch, which most are.
    full: (usize, SqlStr),
}

impl<'a> Inserts<'a> {
    pub(super) fn into(table: &'a Table, target: &End) -> Self {
        let (rows, of_postgres) = (VALUES / table.columns.len().max(1), target.is_postgres());
        Self { table, of_postgres, full: (rows, statement(table, rows, of_postgres)) }
    }

    pub(super) async fn write(&self, end: &mut End, batch: &Batch) -> Result<(), CopyError> {
        if end.is_postgres()
            && let Some(at) = batch.values.iter().position(Value::has_nul)
        {
            let (column, _) = &self.table.columns[at % batch.columns];
            return Err(CopyError::Nul { table: self.table.name, column: column.clone() });
        }
        let is_full = batch.rows() == self.full.0;
        let statement =
            if is_full { self.full.1.clone() } else { statement(self.table, batch.rows(), self.of_postgres) };
        // Others differ in length from batch to batch, so none is kept.
        let query = sqlx::query(statement).persistent(is_full);
        let query = batch.values.iter().fold(query, |query, value| value.bind(query));
        let (connection, failed) = end.split();
        within(query.execute(connection)).await.map(drop).map_err(failed)
    }
}

/// In SQLite the places of values have no numbers: it looks for each number through all of them, so that thousands take long.
fn statement(table: &Table, rows: usize, of_postgres: bool) -> SqlStr {
    let columns = table.columns.len();
    let place = |number: usize| if of_postgres { format!("${number}") } else { "?".into() };
    let row = |row: usize| {
        let values: Vec<String> = (1..=columns).map(|i| place(row * columns + i)).collect();
        format!("({})", values.join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    AssertSqlSafe(format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names(), rows.join(","))).into_sql_str()
}

/// The number of rows, and the sum of their hashes: equal for the same rows in any order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) rows: u64,
    sum: u64,
}

impl Digest {
    pub(super) fn add(&mut self, batch: &Batch) {
        for row in batch.by_row() {
            let mut hasher = DefaultHasher::new();
            row.hash(&mut hasher);
            self.rows += 1;
            self.sum = self.sum.wrapping_add(hasher.finish());
        }
    }
}
