//! A terminal: a shell that stays open, so that a variable that one command sets is there for the next.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Printed by the shell behind what a command printed, with its exit code.
const END: &str = "--- the command has ended: ";

/// An open shell.
pub struct Terminal {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Terminal {
    /// Opens one in a folder, with these variables and no others.
    ///
    /// # Panics
    /// If bash does not start.
    #[must_use]
    pub fn open(folder: &Path, variables: &[(String, String)]) -> Self {
        let mut shell =
            bash(folder, variables).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash runs");
        let mut input = shell.stdin.take().expect("its input");
        writeln!(input, "exec 2>&1").expect("written");
        let output = BufReader::new(shell.stdout.take().expect("its output"));
        Self { shell, input, output, folder: folder.into(), variables: variables.to_vec() }
    }

    /// Runs a command and returns what it printed.
    ///
    /// # Panics
    /// If it failed.
    pub fn run(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}\necho \"\n{END}$?\"").expect("written");
        let mut printed = String::new();
        loop {
            let before = printed.len();
            let read = self.output.read_line(&mut printed).expect("text");
            assert!(read > 0, "the shell has ended: {command}\n{printed}");
            if let Some(code) = printed[before..].strip_prefix(END) {
                assert_eq!(code.trim(), "0", "{command}\n{printed}");
                printed.truncate(before);
                return printed;
            }
        }
    }

    /// Goes to a folder; commands that are started from now on run there, too.
    ///
    /// # Panics
    /// If there is no such folder.
    pub fn go_to(&mut self, folder: &Path) {
        self.run(&format!("cd '{}'", folder.display()));
        self.folder = folder.into();
    }

    /// Starts a command in a terminal of its own, where it goes on running.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(&self, command: &str) -> InBackground {
        InBackground::start(command, &self.folder, &self.variables)
    }
}

fn append(path: &Path) -> File {
    File::options().append(true).open(path).expect("a log")
}

fn bash(folder: &Path, variables: &[(String, String)]) -> Command {
    let mut bash = Command::new("bash");
    bash.env_clear().envs(variables.iter().cloned()).current_dir(folder);
    bash
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A command that goes on running; it is killed, with what it started, when this is dropped.
pub struct InBackground {
    shell: Child,
    log: tempfile::NamedTempFile,
    command: String,
}

impl InBackground {
    /// Starts a command in a folder, with these variables and no others, in a process group of its own.
    ///
    /// # Panics
    /// If bash does not start.
    #[must_use]
    pub fn start(command: &str, folder: &Path, variables: &[(String, String)]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a log");
        let (out, err) = (append(log.path()), append(log.path()));
        let shell = bash(folder, variables)
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .expect("bash runs");
        Self { shell, log, command: command.into() }
    }

    /// What it has printed so far.
    ///
    /// # Panics
    /// If it has ended.
    pub fn printed(&mut self) -> String {
        let printed = std::fs::read_to_string(self.log.path()).unwrap_or_default();
        let ended = self.shell.try_wait().expect("a status");
        assert!(ended.is_none(), "{} ended with {ended:?}:\n{printed}", self.command);
        printed
    }

    /// Sends a signal to it and to what it started, for example `INT`, as a terminal does.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn signal(&self, name: &str) {
        let group = format!("-{}", self.shell.id());
        assert!(Command::new("kill").args(["-s", name, "--", &group]).status().expect("kill runs").success());
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If that cannot be found out.
    pub fn has_ended(&mut self) -> bool {
        self.shell.try_wait().expect("a status").is_some()
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        if self.shell.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("KILL");
            let _ = self.shell.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.command, std::fs::read_to_string(self.log.path()).unwrap_or_default());
        }
    }
}
