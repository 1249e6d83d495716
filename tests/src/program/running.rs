//! What a running program says of itself, and what can be done to it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{DECIDED, Ports, log_in, log_of, spawn};
use crate::{http, mcp::Mcp, memory, process, waiting};

/// A running program; it is killed when this is dropped.
pub struct Running {
    pub(super) child: Child,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) folder: TempDir,
    pub(super) within: Vec<String>,
    pub(super) health_port: u16,
    /// Where it listens.
    pub ports: Ports,
}

impl Running {
    pub(super) async fn wait_until_healthy(&mut self) {
        let url = format!("http://127.0.0.1:{}/healthz", self.health_port);
        let (child, log) = (&mut self.child, || log_in(self.folder.path()));
        let probe = || {
            let ended = child.try_wait().expect("a status");
            assert!(ended.is_none(), "ended with {ended:?}:\n{}", log());
            async { http().get(&url).send().await.ok() }
        };
        waiting::until_or_say(waiting::LIMIT, probe, || format!("health\n{}", log())).await;
    }

    /// The URL of its `/mcp`.
    #[must_use]
    pub fn mcp_url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.ports.mcp)
    }

    /// Its base URL, without a path.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.mcp)
    }

    /// A client of its `/mcp`.
    #[must_use]
    pub fn mcp(&self) -> Mcp {
        Mcp::new(&self.mcp_url())
    }

    /// The most memory that it had so far, in MiB, without the processes that render prompts.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn peak_mib(&self) -> u64 {
        memory::peak_mib(self.child.id())
    }

    /// Its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it holds now.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn held(&self) -> memory::Held {
        memory::held(self.child.id())
    }

    /// The processor time that it used so far.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        process::processor_time(self.child.id())
    }

    /// Decisions that did not reach the brain, for whatever reason.
    pub async fn decisions_not_logged(&self) -> f64 {
        let metrics = self.admin("/metrics").await;
        let dropped = metrics.lines().filter(|line| line.starts_with("routing_decision_log_dropped_total{"));
        // From 0: the sum of nothing would be -0.
        dropped.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |all, one| all + one)
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        log_in(self.folder.path())
    }

    /// Its output after so many bytes.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn log_after(&self, bytes: u64) -> String {
        let mut file = File::open(self.folder.path().join("log")).expect("a log");
        let mut output = vec![];
        file.seek(SeekFrom::Start(bytes)).and_then(|_| file.read_to_end(&mut output)).expect("a log");
        String::from_utf8_lossy(&output).into_owned()
    }

    /// How many model calls are recorded in its log.
    #[must_use]
    pub fn recorded(&self) -> usize {
        self.log().matches(DECIDED).count()
    }

    /// Waits until its log has a record of so many model calls.
    ///
    /// # Panics
    /// If it has more, or not as many within a generous time.
    pub async fn has_recorded(&self, calls: usize) {
        waiting::until_true("the records", || async { self.recorded() >= calls }).await;
        assert_eq!(self.recorded(), calls, "one record for each model call");
    }

    /// A page of the admin port.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn admin(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.ports.admin);
        http().get(url).send().await.expect("an answer").text().await.expect("text")
    }

    /// The admin port's `/status`.
    ///
    /// # Panics
    /// If it is not JSON.
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status").await).expect("JSON")
    }

    /// The value of a metric, named with its labels as printed; 0 if it is missing.
    pub async fn metric(&self, name: &str) -> f64 {
        let metrics = self.admin("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }

    /// Sends a signal, for example `TERM`.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        waiting::until("the end of the program", || std::future::ready(self.child.try_wait().ok().flatten())).await
    }

    /// Kills it, as a crash would, and starts it again in the same folder with the same settings.
    pub async fn crash_and_restart(&mut self) {
        self.kill();
        let folder = self.folder.path();
        self.child = spawn(&self.within, &self.arguments, &self.variables, folder, log_of(folder));
        self.wait_until_healthy().await;
    }

    /// Kills it, as a crash would, and starts it again in the same folder, with these variables besides its own.
    pub async fn restarted_with(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, text) in variables {
            self.variables.retain(|(known, _)| known != name);
            self.variables.push(((*name).into(), (*text).into()));
        }
        self.crash_and_restart().await;
        self
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of {:?}\n{}", self.arguments, self.log());
        }
    }
}
