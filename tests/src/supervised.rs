//! Programs that end with the test process, however that ends.

use std::{
    fs::File,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::memory;

/// Kills the program when its own standard input is closed, which is when the test process is gone.
const SUPERVISOR: &str = r#"
remove=$1; shift
"$@" </dev/null & pid=$!
cat >/dev/null
kill -KILL $pid 2>/dev/null; wait $pid 2>/dev/null
[ -z "$remove" ] || rm -rf "$remove"
"#;

/// A program that is running.
pub struct Supervised {
    shell: Child,
    stdin: Option<ChildStdin>,
}

impl Supervised {
    /// Starts a program; its output goes to `<name>.log` in the folder.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(name: &str, command: &[String], variables: &[(String, String)], folder: &Path) -> Self {
        Self::start_and_remove(name, command, variables, folder, None)
    }

    /// Like [`Self::start`]; removes a folder when the program has ended.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_and_remove(
        name: &str,
        command: &[String],
        variables: &[(String, String)],
        folder: &Path,
        remove: Option<&Path>,
    ) -> Self {
        let log = File::options().create(true).append(true).open(folder.join(format!("{name}.log"))).expect("a log");
        let mut shell = Command::new("bash")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(remove.map(Path::to_path_buf).unwrap_or_default())
            .args(command)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables.iter().cloned())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("bash starts");
        let stdin = shell.stdin.take();
        Self { shell, stdin }
    }

    /// The id of the program's process.
    #[must_use]
    pub fn process(&self) -> u32 {
        // Started before everything else that the shell runs.
        memory::child_of(self.shell.id())
    }

    /// Kills it.
    pub fn kill(&mut self) {
        drop(self.stdin.take());
        // It may have ended already.
        let _ = self.shell.wait();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}
