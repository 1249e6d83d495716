//! Opens a file below a folder through a handle that neither `..` nor a symbolic link can leave. Blocking.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use cap_std::{
    ambient_authority,
    fs::{Dir, File, OpenOptions, OpenOptionsExt},
};
use rustix::fs::OFlags;

/// Largest text of a file, in bytes.
pub const TEXT_MAX_BYTES: u64 = 256 * 1024;
/// Of folders, pipes, devices and sockets.
const NOT_A_FILE: &str = "it is not a file";
const NOT_TEXT: &str = "it is not UTF-8 text";

/// The whole text of a file.
///
/// # Errors
/// Why it cannot be read, in words: it is missing, elsewhere, no file, too large or no text.
pub fn text(root: &Path, below: &Path) -> Result<String, String> {
    let mut bytes = vec![];
    opened(root, below)?.take(TEXT_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(reason)?;
    if bytes.len() as u64 > TEXT_MAX_BYTES {
        return Err(format!("it is larger than {TEXT_MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| NOT_TEXT.into())
}

/// The last lines of a file, at most as many bytes as a whole text may have, however large the file is.
///
/// # Errors
/// As [`text`].
pub fn last_lines(root: &Path, below: &Path, lines: usize) -> Result<String, String> {
    let mut file = opened(root, below)?;
    let length = file.metadata().map_err(reason)?.len();
    let start = length.saturating_sub(TEXT_MAX_BYTES);
    file.seek(SeekFrom::Start(start)).map_err(reason)?;
    let mut bytes = vec![];
    file.take(TEXT_MAX_BYTES).read_to_end(&mut bytes).map_err(reason)?;
    if start > 0 {
        // What comes before the first whole line may be half a character.
        let whole = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..whole);
    }
    let text = String::from_utf8(bytes).map_err(|_| NOT_TEXT.to_string())?;
    let kept: Vec<&str> = text.lines().rev().take(lines).collect();
    Ok(kept.into_iter().rev().map(|line| format!("{line}\n")).collect())
}

fn opened(root: &Path, below: &Path) -> Result<File, String> {
    let root = Dir::open_ambient_dir(root, ambient_authority()).map_err(reason)?;
    // Before opening, too: opening a device can have an effect.
    if !root.metadata(below).map_err(reason)?.is_file() {
        return Err(NOT_A_FILE.into());
    }
    open(&root, below).map_err(reason)?.ok_or_else(|| NOT_A_FILE.into())
}

// Taken by value, as `map_err` gives it.
#[allow(clippy::needless_pass_by_value)]
fn reason(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file",
        std::io::ErrorKind::PermissionDenied => "it may not be read, or a link leads out of the folder",
        _ => "it cannot be read",
    }
    .into()
}

/// Opens a file; none if it is anything else. A pipe that was put in its place meanwhile would block until somebody
/// writes into it, a device might never end: so without waiting, and what was opened is what is checked.
fn open(root: &Dir, below: &Path) -> std::io::Result<Option<File>> {
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = root.open_with(below, OpenOptions::new().read(true).custom_flags(without_waiting))?;
    Ok(file.metadata()?.is_file().then_some(file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pipe_that_is_put_in_a_files_place_never_blocks() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("mkfifo");
        assert!(pipe.success());
        let (sender, receiver) = std::sync::mpsc::channel();
        let root = Dir::open_ambient_dir(folder.path(), ambient_authority()).expect("the folder");
        // A thread, because an open that waits would never end; nobody writes into the pipe.
        std::thread::spawn(move || sender.send(open(&root, Path::new("pipe")).map(|file| file.is_some())));
        let opened = receiver.recv_timeout(std::time::Duration::from_secs(60)).expect("it does not wait");
        assert!(!opened.expect("it is opened"), "and it is not a file");
    }

    #[test]
    fn the_last_lines_of_a_file_of_any_size_are_whole_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let end = |name: &str, lines| last_lines(folder.path(), Path::new(name), lines);
        fs::write(folder.path().join("short"), "one\ntwo\nthree").expect("a file");
        assert_eq!(end("short", 2).as_deref(), Ok("two\nthree\n"));
        assert_eq!(end("short", 9).as_deref(), Ok("one\ntwo\nthree\n"));
        // The cut is within a line of two-byte characters.
        fs::write(folder.path().join("long"), format!("{}\nlast\n", "ä".repeat(140_000))).expect("a file");
        assert_eq!(end("long", 9).as_deref(), Ok("last\n"));
        let huge = fs::File::create(folder.path().join("huge")).expect("a file");
        huge.set_len(2 << 30).expect("a hole of 2 GiB");
        assert_eq!(end("huge", 9).as_deref(), Ok(""), "no line ends in its end");
        assert_eq!(text(folder.path(), Path::new("huge")), Err("it is larger than 262144 bytes".into()));
    }
}
