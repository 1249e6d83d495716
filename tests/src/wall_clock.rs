//! A clock on the wall that can be set, for one program: libfaketime, which `faketime` of the same package would load. It
//! leaves the clock that only goes forward as it is.

use std::{fs, process::Command};

use tempfile::TempDir;

/// The clock; the program that has it must end first.
pub struct WallClock(TempDir);

impl WallClock {
    /// A clock that shows the machine's time.
    ///
    /// # Panics
    /// If there is no folder for it.
    #[must_use]
    pub fn new() -> Self {
        let clock = Self(tempfile::tempdir().expect("a folder"));
        clock.set("+0");
        clock
    }

    /// The variables of the program that has it.
    ///
    /// # Panics
    /// If `faketime` is not installed.
    #[must_use]
    pub fn variables(&self) -> [(String, String); 4] {
        let file = self.0.path().join("offset").display().to_string();
        [
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
        .map(|(name, value)| (name.to_string(), value))
    }

    /// How much it differs from the machine's, in seconds with a sign. The file is replaced, as it is read at any time.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set(&self, offset: &str) {
        let [new, file] = ["new", "offset"].map(|name| self.0.path().join(name));
        fs::write(&new, offset).and_then(|()| fs::rename(new, file)).expect("written");
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

fn library() -> String {
    let printed = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let printed = printed.expect("faketime runs; it is in the package of that name");
    String::from_utf8(printed.stdout).expect("UTF-8").trim().into()
}
