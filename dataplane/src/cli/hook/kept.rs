//! The state of a session on disk: one small file, for its user only.

use std::{
    fmt::Write as _,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use crds::variables::Variables;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{bounded_file, hook::State};

/// Largest file, in bytes.
const MOST_BYTES: u64 = 256 * 1024;
/// How long another hook of the same session may take.
const LOCKED: Duration = Duration::from_secs(8);
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// How long a session is remembered.
const KEEP: Duration = Duration::from_secs(7 * 86_400);
/// Longest session id that is a file name as it is.
const NAME_MAX: usize = 100;

/// A session's state, locked as long as this exists.
pub(super) struct Kept {
    folder: PathBuf,
    file: PathBuf,
    state: State,
    _lock: File,
}

impl Kept {
    /// Locks and reads it. What cannot be read counts as a new session.
    pub(super) fn open(session: &str, variables: &Variables) -> Result<Self, String> {
        let folder = folder(variables).ok_or("neither XDG_STATE_HOME nor HOME is set; nothing was done")?;
        let failed = |error: std::io::Error| format!("{}: {error}; nothing was done", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let name = name(session);
        let lock = locked(&folder.join(format!("{name}.lock"))).map_err(failed)?;
        let file = folder.join(format!("{name}.json"));
        Ok(Self { state: read(&file), folder, file, _lock: lock })
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Writes it, if it has changed.
    pub(super) fn write(&self, state: State) -> Result<(), String> {
        if state == self.state {
            return Ok(());
        }
        let failed = |error: &dyn std::fmt::Display| format!("{}: is not written: {error}", self.file.display());
        let text = serde_json::to_string(&state).map_err(|error| failed(&error))?;
        let mut new = NamedTempFile::new_in(&self.folder).map_err(|error| failed(&error))?;
        new.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        new.persist(&self.file).map_err(|error| failed(&error.error))?;
        Ok(())
    }

    /// Removes what no session has touched for long; another hook may be faster.
    pub(super) fn forget_old_sessions(&self) {
        let old = |path: &Path| {
            let changed = path.metadata().and_then(|file| file.modified()).ok();
            changed.and_then(|changed| SystemTime::now().duration_since(changed).ok()).is_some_and(|age| age > KEEP)
        };
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in files.filter(|path| old(path)) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The state of a session as it is, without a lock; none: there is no such session.
pub(super) fn peek(session: &str, variables: &Variables) -> Option<State> {
    let file = folder(variables)?.join(format!("{}.json", name(session)));
    file.exists().then(|| read(&file))
}

/// Not the data folder of the plugin: the hook of Git has no variable that names it.
fn folder(variables: &Variables) -> Option<PathBuf> {
    let xdg = variables.get("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let state = xdg.or_else(|| Some(Path::new(variables.get("HOME")?).join(".local/state")))?;
    Some(state.join("routing/claude-code"))
}

/// A session id, if it can be a file's name; otherwise its hash.
fn name(session: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_MAX).contains(&session.len()) && session.chars().all(plain) {
        return session.into();
    }
    Sha256::digest(session).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read(file: &Path) -> State {
    let text = bounded_file::text(file, MOST_BYTES).ok();
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The lock is a file of its own, because that with the state is replaced.
fn locked(path: &Path) -> std::io::Result<File> {
    let until = Instant::now() + LOCKED;
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(ASK_AGAIN),
            Err(TryLockError::WouldBlock) => {
                return Err(std::io::Error::other("another hook of this session does not end"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(folder: &Path) -> Variables {
        [("XDG_STATE_HOME", folder.display().to_string())].into_iter().collect()
    }

    fn failed() -> State {
        State { failed: true, ..State::default() }
    }

    #[test]
    fn a_session_is_one_file_for_its_user_only_and_damaged_ones_begin_anew() {
        let home = tempfile::tempdir().expect("a folder");
        let variables = at(home.path());
        let kept = Kept::open("s-1", &variables).expect("opened");
        kept.write(failed()).expect("written");
        drop(kept);
        let file = home.path().join("routing/claude-code/s-1.json");
        assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(*Kept::open("s-1", &variables).expect("opened").state(), failed());
        assert_eq!((peek("s-1", &variables), peek("s-2", &variables)), (Some(failed()), None));
        for damaged in ["{", "[]", &"x".repeat(300_000)] {
            std::fs::write(&file, damaged).expect("written");
            assert_eq!(*Kept::open("s-1", &variables).expect("opened").state(), State::default());
        }
    }

    #[test]
    fn a_session_id_leads_out_of_no_folder() {
        for id in ["../../x", "a/b", "", "a\0b", &"x".repeat(101), "."] {
            assert!(name(id).len() == 64 && name(id).chars().all(|c| c.is_ascii_hexdigit()), "{id:?}");
        }
        assert_eq!(name("0b0f-aA_1"), "0b0f-aA_1");
    }

    #[test]
    fn hooks_of_one_session_wait_for_each_other_and_lose_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let variables = at(home.path());
        std::thread::scope(|scope| {
            for i in 0..16 {
                let variables = &variables;
                scope.spawn(move || {
                    let kept = Kept::open("s", variables).expect("opened");
                    let mut state = kept.state().clone();
                    state.red.push(i.to_string());
                    kept.write(state).expect("written");
                });
            }
        });
        assert_eq!(peek("s", &variables).expect("a state").red.len(), 16);
    }

    #[test]
    fn sessions_are_forgotten_after_a_week() {
        let home = tempfile::tempdir().expect("a folder");
        let kept = Kept::open("s", &at(home.path())).expect("opened");
        kept.write(failed()).expect("written");
        let old = kept.folder.join("old.json");
        let file = File::create(&old).expect("a file");
        file.set_modified(SystemTime::now() - KEEP - Duration::from_secs(60)).expect("set");
        kept.forget_old_sessions();
        assert!(!old.exists() && kept.file.exists());
    }
}
