//! Replaces a file and keeps what its owner set: mode, owner, links.

use std::{
    fs::{self, File, Metadata},
    io::{Error, ErrorKind, Result, Seek, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Links that are followed, as many as Linux does.
const LINKS_MAX: usize = 40;
/// Mode of a new file, of which the umask takes its part.
const NEW_MODE: u32 = 0o644;

/// Replaces a file's text. A reader sees the old text or the new one, unless the file can be changed in place only: it
/// has several names, its owner cannot be kept, its folder cannot be written, or it is mounted.
///
/// # Errors
/// The text is not replaced; only with `after`, it is damaged.
pub(super) fn replace(path: &Path, text: &str) -> std::result::Result<(), ReplaceError> {
    let target = followed(path)?;
    match fs::metadata(&target) {
        Ok(before) if before.nlink() > 1 => in_place(&target, text),
        Ok(before) => match renamed(&target, text, Some(&before)) {
            // The old text would be gone, and the new one would not fit either.
            Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Err(e.into()),
            Err(_) => in_place(&target, text),
            Ok(()) => Ok(()),
        },
        Err(_) => Ok(renamed(&target, text, None)?),
    }
}

/// Why a text was not replaced.
#[derive(Debug)]
pub(super) struct ReplaceError {
    pub(super) reason: Error,
    /// Why the old text could not be put back.
    pub(super) after: Option<Error>,
}

impl From<Error> for ReplaceError {
    fn from(reason: Error) -> Self {
        Self { reason, after: None }
    }
}

/// Where the links of a path lead, even if nothing is there.
fn followed(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            // A relative link starts at its own folder; an absolute one replaces the path.
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(Error::other("too many links"))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn renamed(target: &Path, text: &str, before: Option<&Metadata>) -> Result<()> {
    let mode = fs::Permissions::from_mode(NEW_MODE);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder_of(target))?;
    if let Some(before) = before {
        keep(file.as_file(), before)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target).map(drop).map_err(|e| e.error)
}

/// Gives a new file the owner and the mode of the one before; the owner first, because that may clear bits of the mode.
fn keep(file: &File, before: &Metadata) -> Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(before.permissions())
}

/// Writes over the text; if that fails, the old text is put back.
fn in_place(target: &Path, text: &str) -> std::result::Result<(), ReplaceError> {
    let before = fs::read(target)?;
    let mut file = File::options().write(true).open(target)?;
    let Err(reason) = overwrite(&mut file, text.as_bytes()) else { return Ok(()) };
    Err(ReplaceError { reason, after: put_back(&mut file, &before).err() })
}

/// Puts back what was written over. The file is not shorter than before: it is cut only after everything is written.
fn put_back(file: &mut File, before: &[u8]) -> Result<()> {
    let written = usize::try_from(file.stream_position()?).unwrap_or(usize::MAX);
    overwrite_start(file, &before[..written.min(before.len())])?;
    file.set_len(before.len() as u64)?;
    file.sync_all()
}

fn overwrite(file: &mut File, bytes: &[u8]) -> Result<()> {
    overwrite_start(file, bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

fn overwrite_start(file: &mut File, bytes: &[u8]) -> Result<()> {
    file.rewind()?;
    file.write_all(bytes)
}
