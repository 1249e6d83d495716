//! The record that an API server keeps of the operator's requests: a line of JSON each.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::PathBuf,
};

use serde_json::Value;

/// What is recorded: requests by ServiceAccounts of the operator's namespace, everything but their contents.
pub const POLICY: &str = include_str!("../cluster/config/audit.yaml");

/// An API server's record.
pub struct Audit(PathBuf);

impl Audit {
    /// The record in this file.
    #[must_use]
    pub fn in_file(file: PathBuf) -> Self {
        Self(file)
    }

    /// Calls `note` with each entry that the record got since the last call; `read` is how many bytes of it were read, 0
    /// at first.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn since(&self, read: &mut u64, mut note: impl FnMut(Value)) {
        // There is none before the first entry.
        let Ok(mut record) = File::open(&self.0) else { return };
        record.seek(SeekFrom::Start(*read)).expect("a place in the audit record");
        let (mut record, mut line) = (BufReader::new(record), vec![]);
        // The last line may not be complete yet.
        while record.read_until(b'\n', &mut line).expect("the audit record") > 0 && line.ends_with(b"\n") {
            *read += line.len() as u64;
            if let Ok(entry) = serde_json::from_slice(&line) {
                note(entry);
            }
            line.clear();
        }
    }
}
