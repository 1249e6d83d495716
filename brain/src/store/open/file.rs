//! Which file is open: it can be deleted or replaced while it is.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A file that is open.
pub(crate) struct File {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl File {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.into(), device_and_inode: identity(&std::fs::metadata(path)?) })
    }

    /// Whether the path still leads to the open file. What is written to another is lost.
    pub(crate) fn is_in_place(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.device_and_inode)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that SQLite keeps beside another.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
