//! The raw output of a full run, in a file as it comes: it takes hours, and what was found must not be lost.

use std::{
    fmt::Display,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Where lines are kept, if they are.
#[derive(Default)]
pub struct RawOutput(Option<(PathBuf, Mutex<File>)>);

impl RawOutput {
    /// The file that `CAMPAIGN_RESULTS` names, if it names one. Until the run is complete, `.new` is at the end of its name.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn from_environment() -> Self {
        let named = std::env::var("CAMPAIGN_RESULTS").ok().filter(|path| !path.is_empty());
        named.map(|path| Self::at(Path::new(&path))).unwrap_or_default()
    }

    fn at(path: &Path) -> Self {
        let file = File::create(unfinished(path)).expect("the file of CAMPAIGN_RESULTS can be written");
        Self(Some((path.into(), Mutex::new(file))))
    }

    /// Adds a line.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn line(&self, line: impl Display) {
        if let Some((_, file)) = &self.0 {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(file, "{line}").expect("the raw output can be written");
        }
    }

    /// The run is complete: the file takes the place of an earlier run's.
    ///
    /// # Panics
    /// If it cannot be renamed.
    pub fn complete(&self) {
        if let Some((path, _)) = &self.0 {
            fs::rename(unfinished(path), path).expect("the raw output can be renamed");
        }
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[test]
fn lines_are_kept_at_once_and_under_the_name_itself_once_the_run_is_complete() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("campaign.txt");
    let raw = RawOutput::at(&path);
    raw.line("one");
    raw.line(2);
    assert_eq!(fs::read_to_string(unfinished(&path)).expect("lines"), "one\n2\n");
    assert!(!path.exists());
    raw.complete();
    assert_eq!(fs::read_to_string(&path).expect("lines"), "one\n2\n");
    RawOutput::default().line("kept nowhere");
}
