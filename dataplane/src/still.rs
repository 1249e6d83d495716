//! Reads a file once nobody writes to it any more: the beginning of a policy can be a policy, too, and the end of the
//! file may be what requires a token. The beginning of a secret is none.
//!
//! The files of a volume of the kubelet's are whole when they come: it writes them all, makes a link to them, and swaps
//! that for the link before. One that was not written to since its link was made is not waited for.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::bounded_file::{BoundedFile, BoundedFileError};

/// How long a file must not have changed.
pub const STILL: Duration = Duration::from_millis(50);
/// How often it is tried.
const TRIES: u32 = 20;
/// How often a file that is not there is tried: a link to it may just be swapped.
const TRIES_TO_OPEN: u32 = 3;
/// The link beside the files of a volume, through which all of them lead.
const DATA: &str = "..data";

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    /// It is no file that can be read.
    #[error(transparent)]
    File(#[from] BoundedFileError),
    /// It changes all the time.
    #[error("is being written all the time; write it beside its place, and rename it")]
    BeingWritten,
}

/// The text of a file of at most `max_bytes`.
///
/// # Errors
/// Why there is none, in words.
pub fn read(path: &Path, max_bytes: u64) -> Result<String, String> {
    once_still(path, max_bytes, BoundedFile::text).map_err(in_words)
}

/// The content of a file of at most `max_bytes`.
///
/// # Errors
/// Why there is none.
pub fn bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, StillError> {
    once_still(path, max_bytes, BoundedFile::bytes)
}

fn once_still<T>(
    path: &Path,
    max_bytes: u64,
    read: impl Fn(&BoundedFile) -> Result<T, BoundedFileError>,
) -> Result<T, StillError> {
    for _ in 0..TRIES {
        // Before the file is opened: a link that is made later says nothing about it.
        let linked = linked(path);
        let file = opened(path, max_bytes)?;
        let before = file.metadata().map_err(BoundedFileError::from)?;
        let content = read(&file);
        thread::sleep(rest(&before, linked, SystemTime::now()).map_err(BoundedFileError::from)?);
        // The file that is open, not its path: what replaces it does not spoil what was read.
        if is_unchanged(&file, &before).map_err(BoundedFileError::from)? {
            return Ok(content?);
        }
    }
    Err(StillError::BeingWritten)
}

fn opened(path: &Path, max_bytes: u64) -> Result<BoundedFile, BoundedFileError> {
    let mut tries = 1;
    loop {
        match BoundedFile::open(path, max_bytes) {
            Err(BoundedFileError::Io(_)) if tries < TRIES_TO_OPEN => thread::sleep(STILL / TRIES_TO_OPEN),
            opened => return opened,
        }
        tries += 1;
    }
}

/// When the link was made through which a path leads into a volume; none: it leads into none.
fn linked(path: &Path) -> Option<SystemTime> {
    let leads_through = |part: &&Path| fs::read_link(part).is_ok_and(|target| target.starts_with(DATA));
    let data = path.ancestors().find(leads_through)?.with_file_name(DATA);
    fs::symlink_metadata(data).ok()?.modified().ok()
}

/// How much longer a file must not change to be whole.
fn rest(file: &Metadata, linked: Option<SystemTime>, now: SystemTime) -> io::Result<Duration> {
    let written = file.modified()?;
    if linked.is_some_and(|linked| written <= linked && linked <= now) {
        return Ok(Duration::ZERO);
    }
    // The clock of another machine, whose file it is, may be ahead.
    let age = now.duration_since(written.max(placed(file))).unwrap_or_default();
    Ok(STILL.saturating_sub(age))
}

/// When a file got its name, as far as the file system notes it: who renames a file may go on writing to it.
fn placed(file: &Metadata) -> SystemTime {
    let seconds = u64::try_from(file.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(file.ctime_nsec()).unwrap_or_default();
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds)).unwrap_or(UNIX_EPOCH)
}

fn is_unchanged(file: &BoundedFile, before: &Metadata) -> io::Result<bool> {
    let after = file.metadata()?;
    Ok(after.len() == before.len() && after.modified()? == before.modified()?)
}

fn in_words(error: StillError) -> String {
    match error {
        StillError::File(BoundedFileError::Io(error)) => format!("cannot be read: {error}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
