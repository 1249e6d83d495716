//! A Postgres server of its own on 127.0.0.1, whose data are removed when it ends.

use std::{
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{ports, small_disk::SmallDisk, supervised::Supervised, waiting};

/// The user who owns the data when the tests run as root, which Postgres refuses: nobody.
const NOBODY: u32 = 65_534;
/// What a message, a log and a status must never show.
pub const PASSWORD: &str = "canary-of-postgres";

/// Test programs with this name run each brain on Postgres instead of SQLite.
const ON_POSTGRES: &str = "on_postgres";
/// For a server that outlives no crash: nothing is waited for until it is on disk.
const IN_HASTE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

/// A running server.
pub struct Postgres {
    folder: TempDir,
    port: u16,
    options: Vec<&'static str>,
    /// What its command begins with.
    within: Vec<String>,
    running: Option<Supervised>,
    /// Processes that were killed, and may still be writing to the disk.
    killed: Vec<String>,
}

/// The URL of a new database for a brain, in the tests that run on Postgres; none: brains have files of their own.
///
/// # Panics
/// If the server or the database cannot be created.
pub async fn for_a_brain() -> Option<String> {
    static SERVER: OnceCell<Postgres> = OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let program = std::env::current_exe().ok()?;
    if !program.file_name()?.to_str()?.starts_with(ON_POSTGRES) {
        return None;
    }
    // One server for all tests of the program. It ends with the program.
    let server = SERVER.get_or_init(|| Postgres::with(&IN_HASTE, vec![])).await;
    let name = format!("brain_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let _ = server.sql("postgres", &format!("CREATE DATABASE {name}"));
    Some(server.url(&name))
}

impl Postgres {
    /// Creates a server and starts it.
    ///
    /// # Panics
    /// If it cannot be created; the message says what to install.
    pub async fn start() -> Self {
        Self::with(&[], vec![]).await
    }

    /// The same, where it sees a small disk. Its data are not there.
    ///
    /// # Panics
    /// If it cannot be created; the message says what to install.
    pub async fn start_within(disk: &SmallDisk) -> Self {
        Self::with(&[], disk.within()).await
    }

    async fn with(options: &[&'static str], within: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("password"), PASSWORD).expect("written");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
        }
        let options = options.to_vec();
        let mut postgres = Self { folder, port: ports::free(), options, within, running: None, killed: vec![] };
        let (data, password) = (postgres.path("data"), postgres.path("password"));
        let initial = ["--username=brain", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"];
        let made = as_user("initdb").args(initial).arg(format!("--pwfile={password}")).args(["-D", &data]).output();
        let made = made.expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.run_again().await;
        postgres
    }

    /// Starts the server again.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn run_again(&mut self) {
        // A server refuses to start while a process of the one before has its memory.
        waiting::until_true("the end of the processes that were killed", || async {
            !self.killed.iter().any(|pid| is_running(pid))
        })
        .await;
        let server = program("postgres").display().to_string();
        let mut command = vec![server, "-D".into(), self.path("data"), "-p".into(), self.port.to_string()];
        let always = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"];
        for option in always.iter().chain(&self.options) {
            command.extend(["-c".into(), (*option).into()]);
        }
        let (command, folder) = ([self.within.clone(), user(), command].concat(), self.folder.path());
        // What is static is dropped never, so its folder is removed by whoever ends the server.
        let remove = (self.options == IN_HASTE).then_some(folder);
        self.running = Some(Supervised::start_and_remove("postgres", &command, &[], folder, remove));
        waiting::until_true("Postgres", || async {
            let port = self.port.to_string();
            let asked = Command::new(program("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
            asked.is_ok_and(|status| status.success())
        })
        .await;
    }

    /// Kills the server, as a crash does.
    ///
    /// # Panics
    /// If it does not run.
    pub fn crash(&mut self) {
        let killed = self.kill();
        self.killed.extend(killed);
        self.running = None;
    }

    /// The server and the processes that it has started, which are sessions of their own.
    fn kill(&self) -> Vec<String> {
        let pid = std::fs::read_to_string(self.path("data/postmaster.pid")).unwrap_or_default();
        let Some(pid) = pid.lines().next().filter(|_| self.running.is_some()) else { return vec![] };
        let all: Vec<String> = [pid.to_string()].into_iter().chain(children(pid)).collect();
        // Some have ended by then.
        let _ = Command::new("kill").arg("-KILL").args(&all).stderr(Stdio::null()).status();
        all
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, with the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_by(self.port, database)
    }

    /// The URL of a database that is reached by another port.
    #[must_use]
    pub fn url_by(&self, port: u16, database: &str) -> String {
        format!("postgres://brain:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// Runs a statement in a database; returns what it prints.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let arguments = ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement];
        let output = Command::new(program("psql")).arg(self.url(database)).args(arguments).output().expect("psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().into()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process is there, other than as one that has ended and that nobody has asked about.
fn is_running(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// The processes that a process has started.
fn children(parent: &str) -> Vec<String> {
    let status = |pid: &String| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let is_child = |pid: &String| {
        let of = status(pid).lines().find_map(|line| line.strip_prefix("PPid:").map(|of| of.trim().to_string()));
        of.as_deref() == Some(parent)
    };
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = names.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).filter(is_child).collect()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// What a command begins with, so that it does not run as root.
fn user() -> Vec<String> {
    let ids = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".into()];
    if is_root() { ["setpriv".to_string()].into_iter().chain(ids).collect() } else { vec![] }
}

fn as_user(name: &str) -> Command {
    let all = [user(), vec![program(name).display().to_string()]].concat();
    let mut command = Command::new(&all[0]);
    command.args(&all[1..]).current_dir("/");
    command
}

/// A program of Postgres: Debian keeps those of a server in no PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    let found = folders.iter().rev().map(|folder| folder.join(name)).find(|path| Path::is_file(path));
    found.unwrap_or_else(|| panic!("{name} is missing; on Debian: apt-get install postgresql"))
}
