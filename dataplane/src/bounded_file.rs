//! Reads regular files up to a size. Anything else in a file's place, such as a pipe, could be waited for without end.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum BoundedFileError {
    /// A folder, a pipe or a device.
    #[error("is not a file")]
    NotAFile,
    #[error("is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open file of at most so many bytes.
pub struct BoundedFile {
    file: File,
    max_bytes: u64,
}

impl BoundedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// It is none, it is too large, or it cannot be opened.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, BoundedFileError> {
        if !fs::metadata(path)?.is_file() {
            return Err(BoundedFileError::NotAFile);
        }
        // A pipe that was put in its place meanwhile would be waited for until somebody writes into it.
        let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(BoundedFileError::NotAFile);
        }
        if metadata.len() > max_bytes {
            return Err(BoundedFileError::TooLarge { max_bytes });
        }
        Ok(Self { file, max_bytes })
    }

    /// What is known of the open file, whatever is at its path now.
    ///
    /// # Errors
    /// The system does not say.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Its content.
    ///
    /// # Errors
    /// It cannot be read, or has grown too large.
    pub fn bytes(&self) -> Result<Vec<u8>, BoundedFileError> {
        let mut bytes = vec![];
        (&self.file).take(self.max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(BoundedFileError::TooLarge { max_bytes: self.max_bytes });
        }
        Ok(bytes)
    }

    /// Its text.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), or it is not UTF-8.
    pub fn text(&self) -> Result<String, BoundedFileError> {
        let mut text = String::new();
        // For the system's words about what is not UTF-8.
        self.bytes()?.as_slice().read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The text of a file of at most so many bytes.
///
/// # Errors
/// There is none.
pub fn text(path: &Path, max_bytes: u64) -> Result<String, BoundedFileError> {
    BoundedFile::open(path, max_bytes)?.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_text_and_what_is_none_too_large_or_not_utf_8_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let piped = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo runs");
        assert!(piped.success());
        for (name, content) in [("most", &b"ten bytes."[..]), ("large", b"ten bytes.."), ("latin-1", b"\xe4")] {
            fs::write(path(name), content).expect("written");
        }
        let read = |name: &str| text(&path(name), 10).map_err(|error| error.to_string());
        assert_eq!(read("most").as_deref(), Ok("ten bytes."));
        for (name, expected) in [
            ("large", "is larger than 10 bytes"),
            ("pipe", "is not a file"),
            (".", "is not a file"),
            ("latin-1", "stream did not contain valid UTF-8"),
            ("none", "No such file or directory (os error 2)"),
        ] {
            assert_eq!(read(name), Err(expected.into()), "{name}");
        }
    }

    #[test]
    fn a_file_that_grows_after_it_was_opened_is_still_bounded() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let open = BoundedFile::open(file.path(), 10).expect("a file");
        fs::write(file.path(), "eleven byte").expect("written");
        assert!(matches!(open.bytes(), Err(BoundedFileError::TooLarge { max_bytes: 10 })));
    }
}
