//! Why the store failed, and what to do about it.

use std::path::PathBuf;

use crds::shown;

use super::open;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {database}; {cure}")]
    Open {
        /// The database's file, or its server and name.
        database: String,
        /// What to do about it.
        cure: &'static str,
        /// Why it cannot be opened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The entry says something that cannot be.
    #[error("{reason}")]
    Refused {
        /// Which argument is wrong, and why.
        reason: String,
    },
    /// The batch that held the entry could not be committed.
    #[error("the entry could not be written: {0}")]
    NotWritten(String),
    /// The connection was lost during the commit, and the database could not be asked about it since.
    #[error("it is not known whether the entry was written: {0}; look whether it is there before you report it again")]
    Unknown(String),
    /// The file that is open is no longer at its path, so what is written is lost.
    #[error(
        "the database {} was deleted or replaced while the brain runs; put it back, then restart the brain",
        path.display()
    )]
    Replaced {
        /// The database's file.
        path: PathBuf,
    },
    /// The database's server is away, or cannot be used for another reason that may pass.
    #[error("{0}")]
    Away(String),
    /// The store has been closed.
    #[error("the store is shutting down")]
    Closed,
}

impl StoreError {
    /// The failure of a batch as each of its entries has it.
    pub(super) fn of_an_entry(&self) -> Self {
        match self {
            Self::Replaced { path } => Self::Replaced { path: path.clone() },
            Self::NotWritten(reason) => Self::NotWritten(reason.clone()),
            Self::Unknown(reason) => Self::Unknown(reason.clone()),
            Self::Away(reason) => Self::NotWritten(reason.clone()),
            other => Self::NotWritten(other.cause()),
        }
    }

    /// What failed and why, and what to do about it if that is known, for the log and for whoever reported.
    pub(crate) fn cause(&self) -> String {
        format!("{}{}", shown::chain(self), self.cure_after("; "))
    }

    /// What failed, and what to do about it if that is known: what the database said is not for everyone.
    pub(crate) fn with_cure(&self) -> String {
        format!("{self}{}", self.cure_after("; "))
    }

    /// Why a request has no answer, for whoever asked: what the database said is in the log.
    pub(crate) fn told(&self) -> String {
        format!("the store failed{}; see the brain's log", self.cure_after(": "))
    }

    fn cure_after(&self, separator: &str) -> String {
        self.cure().map(|cure| format!("{separator}{cure}")).unwrap_or_default()
    }

    /// What to do about a database that failed, if that is known.
    pub(crate) fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Database(error) => open::known_cure(error),
            _ => None,
        }
    }
}
