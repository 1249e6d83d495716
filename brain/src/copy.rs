//! Copies a brain's database into another, of either kind, while a brain serves the one that is read.
//!
//! What is read is one snapshot; what is written is one transaction. So a copy is there as a whole or not at all: one that
//! breaks off leaves an empty database, and can simply be started again.

mod end;
mod error;
mod rows;
mod tables;
mod value;

use tokio::try_join;

pub(crate) use self::tables::counts;
use self::{
    end::End,
    rows::{Digest, Inserts, Rows},
    tables::Table,
};
pub use self::{error::CopyError, tables::TABLES};
use crate::{settings::DatabaseUrl, store::open};

/// Where a database is named, in messages: the argument of the command.
const FROM: &str = "--from";
/// See [`FROM`].
const TO: &str = "--to";

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being copied or compared.
    pub table: &'static str,
    /// How many of its rows are done.
    pub rows: u64,
    /// How many there are.
    pub of: u64,
    /// Whether it is copied already, and read again to compare it.
    pub comparing: bool,
}

/// A table and how many rows of it were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows the copy has: as many as were read.
    pub rows: u64,
}

/// Copies every table of `from` into `to`, which is created if it is missing and must be empty; reads it again from there,
/// and compares each row. `progress` is called after each batch.
///
/// # Errors
/// Why nothing was copied.
pub async fn copy(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Copied>, CopyError> {
    let source = open::existing(from).await.map_err(|error| CopyError::opening(FROM, error))?;
    let mut source = End::reading(source, FROM, from).await?;
    let target = open::prepared(to).await.map_err(|error| CopyError::opening(TO, error))?;
    let mut target = End::writing(target, TO, to).await?;
    if let Some((table, rows)) =
        counts(&mut target.connection).await.map_err(|e| target.failed(e))?.iter().find(|one| one.1 > 0)
    {
        return Err(CopyError::NotEmpty { database: to.shown(), table, rows: *rows });
    }
    let found = counts(&mut source.connection).await.map_err(|e| source.failed(e))?;
    let mut copied = Vec::with_capacity(found.len());
    for (name, of) in found {
        let table = Table::read(&mut source.connection, name).await.map_err(|e| source.failed(e))?;
        let mut step = |rows, comparing| progress(Progress { table: name, rows, of, comparing });
        let read = transfer(&mut source, &mut target, &table, |rows| step(rows, false)).await?;
        let written = digest(&mut target, &table, |rows| step(rows, true)).await?;
        // SQLite counts by an index, which may lack rows if it is damaged; a table that lacks rows must not be copied.
        if read != written || read.rows < of {
            return Err(CopyError::Differs { table: name, of, read: read.rows, written: written.rows });
        }
        copied.push(Copied { table: name, rows: written.rows });
    }
    target.commit().await?;
    Ok(copied)
}

/// Copies a table: the next batch is read while one is written.
async fn transfer(
    source: &mut End,
    target: &mut End,
    table: &Table,
    mut step: impl FnMut(u64),
) -> Result<Digest, CopyError> {
    let mut digest = Digest::default();
    let inserts = Inserts::into(table, target);
    let mut rows = Rows::of(source, table);
    let mut next = rows.next().await?;
    while let Some(batch) = next {
        digest.add(&batch);
        (_, next) = try_join!(inserts.write(target, &batch), rows.next())?;
        step(digest.rows);
    }
    Ok(digest)
}

/// Reads a table again.
async fn digest(end: &mut End, table: &Table, mut step: impl FnMut(u64)) -> Result<Digest, CopyError> {
    let mut digest = Digest::default();
    let mut rows = Rows::of(end, table);
    while let Some(batch) = rows.next().await? {
        digest.add(&batch);
        step(digest.rows);
    }
    Ok(digest)
}

#[cfg(test)]
pub(crate) mod tests;
