//! Why nothing was copied.

use crate::store::StoreError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing was copied. The target is then as it was, or empty.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database cannot be used.
    #[error("{argument}: {message}")]
    Open {
        /// The argument that names it.
        argument: &'static str,
        /// Which it is, and what to do.
        message: String,
        /// Why it cannot be used.
        source: Cause,
    },
    /// Nothing of two brains is ever mixed.
    #[error("--to: the database {database} is not empty: {table} has {rows} rows; name an empty one, or a new file")]
    NotEmpty {
        /// Which it is.
        database: String,
        /// A table that has rows.
        table: &'static str,
        /// How many.
        rows: u64,
    },
    /// Such a value was written by a very old version, or by another program.
    #[error("--from: {table}.{column} has a value that is not {kind}: correct it there, then copy again")]
    Misfit {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// What the column holds.
        kind: &'static str,
    },
    /// Such a text was written by an earlier version.
    #[error(
        "--from: {table}.{column} has a text with the character U+0000, which Postgres cannot hold: remove it there \
         (UPDATE {table} SET {column} = replace({column}, char(0), '')), then copy again"
    )]
    Nul {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
    /// What was written is not what was read.
    #[error(
        "{table} differs in the copy: of {of} rows {read} were read, and {written} are there; nothing was copied; \
         check both disks, then copy again"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// How many rows there were at the start.
        of: u64,
        /// How many were read.
        read: u64,
        /// How many the copy had.
        written: u64,
    },
    /// A database failed on the way.
    #[error("{argument}: the database {database} failed, and nothing was copied; correct the cause, then copy again")]
    Failed {
        /// The argument that names it.
        argument: &'static str,
        /// Which it is.
        database: String,
        /// Why it failed.
        #[source]
        error: sqlx::Error,
    },
}

impl CopyError {
    pub(super) fn opening(argument: &'static str, error: StoreError) -> Self {
        let message = of_argument(&error.to_string(), argument);
        let source = match error {
            StoreError::Open { source, .. } => source,
            other => other.into(),
        };
        Self::Open { argument, message, source }
    }
}

/// What a brain says of its database, where an argument names it, and nothing is tried again.
fn of_argument(message: &str, argument: &str) -> String {
    let message = message.replace("; the brain tries again by itself", "");
    message.replace("BRAIN_DATABASE_URL", argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_names_the_argument_and_promises_no_second_attempt() {
        for (brains, expected) in [
            ("set its user and password in BRAIN_DATABASE_URL", "set its user and password in --to"),
            ("or set BRAIN_DATABASE_URL to another file", "or set --to to another file"),
            (
                "start the server or correct its address in BRAIN_DATABASE_URL; the brain tries again by itself",
                "start the server or correct its address in --to",
            ),
        ] {
            assert_eq!(of_argument(brains, "--to"), expected);
        }
    }
}
