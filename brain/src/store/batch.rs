//! Writes entries that wait together in one transaction. Each is acknowledged once it is known that the transaction was
//! committed, also if the database's answer to the commit was lost.

use crds::shown;
use uuid::Uuid;

use super::{
    StoreError,
    apply::apply,
    open::{self, Committed, File, Writing},
    tally::Tally,
};
use crate::entry::Entry;

/// The id of an entry that is written, or why it is not.
pub(super) type Answer = Result<String, StoreError>;

const UNSTORABLE: &str =
    "the entry has a value that the database cannot store, such as a character that its encoding lacks";
/// What to do about a database that took no entry, where its failure is none that is known.
const UNKNOWN_CURE: &str = "see the brain's log";

/// Writes entries, each with the time at which it came; one answer for each, and what to do about the database if it failed.
pub(super) async fn commit(
    writing: &mut Writing,
    file: Option<&File>,
    entries: &[(Entry, i64)],
) -> (Vec<Answer>, Option<&'static str>) {
    let mut result = write(writing, entries).await;
    if let Err(StoreError::Database(error)) = &result
        && open::is_of_an_entry(error)
    {
        result = one_by_one(writing, entries).await;
    }
    // Checked after the commit: before it, the file could still be replaced.
    if let Some(file) = file.filter(|file| result.is_ok() && !file.is_in_place()) {
        result = Err(StoreError::Replaced { path: file.path().into() });
    }
    match result {
        Ok(answers) => (answers, None),
        Err(error) => {
            tracing::error!(entries = entries.len(), error = error.cause(), "entries could not be written");
            let answers = entries.iter().map(|_| Err(error.of_an_entry())).collect();
            (answers, Some(error.cure().unwrap_or(UNKNOWN_CURE)))
        }
    }
}

/// A value that the database cannot store costs its own entry alone.
async fn one_by_one(writing: &mut Writing, entries: &[(Entry, i64)]) -> Result<Vec<Answer>, StoreError> {
    let mut answers = Vec::with_capacity(entries.len());
    for entry in entries {
        answers.push(match write(writing, std::slice::from_ref(entry)).await {
            Ok(mut answer) => answer.remove(0),
            Err(StoreError::Database(error)) if open::is_of_an_entry(&error) => {
                tracing::warn!(error = shown::chain(&error), "an entry has a value that the database cannot store");
                Err(StoreError::Refused { reason: UNSTORABLE.into() })
            }
            Err(error) => return Err(error),
        });
    }
    Ok(answers)
}

/// Entries that are refused are left out of the transaction.
async fn write(writing: &mut Writing, entries: &[(Entry, i64)]) -> Result<Vec<Answer>, StoreError> {
    let mut connection = writing.connection().await?;
    let mut transaction = writing.begin(&mut connection).await?;
    let (mut answers, mut new, mut tally) = (Vec::with_capacity(entries.len()), None, Tally::default());
    for (entry, at_ms) in entries {
        let id = Uuid::now_v7().to_string();
        let written = writing.within(apply(&mut transaction, &mut tally, &id, entry, *at_ms)).await;
        if written.as_ref().is_ok_and(|written| *written == id) {
            new = Some(id);
        }
        match written {
            Err(error) if !matches!(error, StoreError::Refused { .. }) => return Err(error),
            answer => answers.push(answer),
        }
    }
    for row in tally.rows() {
        writing.within(row.write(&mut transaction)).await?;
    }
    match writing.within(transaction.commit()).await {
        Ok(()) => writing.keep(connection),
        Err(lost) => {
            // Closed: what was sent on it and not received must not arrive later.
            drop(connection);
            if let Some(id) = new {
                settled(writing, &id, lost).await?;
            }
        }
    }
    Ok(answers)
}

/// Whether the transaction that wrote an entry was committed after all.
async fn settled(writing: &mut Writing, id: &str, lost: sqlx::Error) -> Result<(), StoreError> {
    tracing::warn!(error = shown::chain(&lost), "the answer to a commit was lost; asking what became of it");
    match writing.settle(id).await {
        Ok(Committed::Yes) => Ok(()),
        Ok(Committed::No) => Err(lost.into()),
        Err(error) => Err(StoreError::Unknown(StoreError::from(error).cause())),
    }
}
