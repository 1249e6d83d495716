//! Reads a file once nobody writes to it any more: the beginning of a policy can be a policy, too, and the end of the
//! file may be what requires a token. The beginning of a secret is none.

use std::{
    fs::Metadata,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crate::bounded_file::{BoundedFile, BoundedFileError};

/// How long a file must not have changed.
pub const STILL: Duration = Duration::from_millis(50);
/// How often it is tried.
const TRIES: u32 = 20;
/// How often a file that is not there is tried: a link to it may just be swapped.
const TRIES_TO_OPEN: u32 = 3;

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
        let file = opened(path, max_bytes)?;
        let before = file.metadata().map_err(BoundedFileError::from)?;
        let content = read(&file);
        // The file that is open, not its path: what replaces it does not spoil what was read.
        if is_still(&file, &before)? {
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

/// Whether an open file has not changed for a while, after a wait if it did so a moment ago.
fn is_still(file: &BoundedFile, before: &Metadata) -> Result<bool, BoundedFileError> {
    let changed = before.modified()?;
    // The clock of another machine, whose file it is, may be ahead.
    let age = SystemTime::now().duration_since(changed).unwrap_or_default();
    if age < STILL {
        thread::sleep(STILL - age);
    }
    let after = file.metadata()?;
    Ok(after.len() == before.len() && after.modified().is_ok_and(|again| again == changed))
}

fn in_words(error: StillError) -> String {
    match error {
        StillError::File(BoundedFileError::Io(error)) => format!("cannot be read: {error}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write,
        sync::mpsc,
    };

    use super::*;

    #[test]
    fn a_file_that_is_being_written_is_read_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let (begun, begins) = mpsc::channel();
        let writer = thread::spawn({
            let path = path.clone();
            move || {
                let mut file = File::create(path).expect("a file");
                for i in 0..20 {
                    writeln!(file, "line {i}").expect("written");
                    begun.send(()).expect("somebody waits");
                    thread::sleep(STILL / 10);
                }
            }
        });
        begins.recv().expect("a first line");
        let text = read(&path, 1000).expect("a text");
        assert_eq!(text.lines().count(), 20, "{text}");
        writer.join().expect("ends");
    }

    #[test]
    fn what_is_no_file_or_too_large_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        assert_eq!(read(folder.path(), 10), Err("is not a file".into()));
        assert!(read(&file, 10).is_err_and(|error| error.starts_with("cannot be read: ")));
        fs::write(&file, "eleven byte").expect("written");
        assert_eq!(read(&file, 10), Err("is larger than 10 bytes".into()));
        assert_eq!(read(&file, 11).as_deref(), Ok("eleven byte"));
    }
}
