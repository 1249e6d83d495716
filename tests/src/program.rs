//! The `routing` binary, run as a user runs it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{http, mcp::Mcp, memory, ports, postgres, process, required, small_disk::SmallDisk, waiting};

/// The variable that says where a brain's entries are.
const DATABASE: &str = "BRAIN_DATABASE_URL";
/// In the log line of a model call's record, in JSON.
pub const DECIDED: &str = r#""message":"decided""#;

/// The binary that `make test` built.
#[must_use]
pub fn binary() -> PathBuf {
    required("ROUTING_BIN")
}

/// Runs the binary until it ends, with these variables and no others.
///
/// # Panics
/// If it cannot be run.
pub fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    command(&[], arguments, folder).envs(variables.iter().copied()).output().expect("the binary runs")
}

/// Whether `routing check` accepts a policy, and all that it prints.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn check(policy: &impl ToString, more: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("policy.yaml"), policy.to_string()).expect("written");
    let output = run(&[&["check", "policy.yaml"], more].concat(), &[], folder.path());
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
    )
}

/// As in a pod, it has no more memory than the manifest allows.
fn command(within: &[String], arguments: &[&str], folder: &Path) -> Command {
    let all =
        [&[&*binary().display().to_string()], arguments].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
    let bounded = [within, &memory::bounded(&all, memory::DATA_PLANE_MIB)].concat();
    let mut command = Command::new(&bounded[0]);
    command.args(&bounded[1..]).env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder);
    // Never that of whoever runs the tests.
    command.env("XDG_DATA_HOME", folder.join("data"));
    command
}

/// A program that is about to be started.
pub struct Program {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: TempDir,
    /// What its command begins with.
    within: Vec<String>,
    /// Where its output goes; none: to a file in its folder.
    output: Option<File>,
    health_port: u16,
    ports: Ports,
}

/// Where a program listens.
#[derive(Clone, Copy)]
pub struct Ports {
    /// The port of the data plane's `/mcp`, or of the brain.
    pub mcp: u16,
    /// The data plane's admin port; 0 for a brain.
    pub admin: u16,
}

impl Program {
    /// `routing serve` on free ports, with the addresses of a brain and an upstream where nothing listens.
    #[must_use]
    pub fn serve() -> Self {
        let ports = Ports { mcp: ports::free(), admin: ports::free() };
        let nobody = format!("http://127.0.0.1:{}", ports::free());
        Self::new(&["serve"], ports, ports.mcp)
            .variable("ROUTING_BIND", "127.0.0.1")
            .variable("ROUTING_PORT", &ports.mcp.to_string())
            .variable("ROUTING_ADMIN_PORT", &ports.admin.to_string())
            .variable("ROUTING_LOG_FORMAT", "json")
            .variable("LITELLM_BASE_URL", &nobody)
            .variable("BRAIN_URL", &nobody)
    }

    /// `routing serve --policy policy.yaml` in its own folder.
    ///
    /// # Panics
    /// If the file cannot be written.
    #[must_use]
    pub fn serve_policy(policy: &(impl ToString + ?Sized)) -> Self {
        let mut program = Self::serve();
        program.variables.retain(|(name, _)| !["LITELLM_BASE_URL", "BRAIN_URL"].contains(&name.as_str()));
        std::fs::write(program.folder.path().join("policy.yaml"), policy.to_string()).expect("written");
        program.arguments.extend(["--policy".into(), "policy.yaml".into()]);
        let secrets = program.folder.path().join("secrets").display().to_string();
        program.variable("ROUTING_SECRETS_DIR", &secrets)
    }

    /// `routing brain` on a free port with its own database: a file, or in the tests that run on Postgres one of a server.
    #[must_use]
    pub fn brain() -> Self {
        let ports = Ports { mcp: ports::free(), admin: 0 };
        Self::new(&["brain"], ports, ports.mcp)
            .variable("BRAIN_BIND", "127.0.0.1")
            .variable("BRAIN_PORT", &ports.mcp.to_string())
            .variable("ROUTING_LOG_FORMAT", "json")
    }

    fn new(arguments: &[&str], ports: Ports, health_port: u16) -> Self {
        Self {
            arguments: arguments.iter().map(|a| (*a).to_string()).collect(),
            variables: vec![],
            folder: tempfile::tempdir().expect("a folder"),
            within: vec![],
            output: None,
            health_port,
            ports,
        }
    }

    /// Sets a variable; the last value counts.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Runs it where it sees a small disk.
    #[must_use]
    pub fn within(mut self, disk: &SmallDisk) -> Self {
        self.within = disk.within();
        self
    }

    /// With at most this many descriptors.
    #[must_use]
    pub fn with_descriptors(mut self, limit: u32) -> Self {
        self.within = ["sh", "-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"].map(str::to_string).into();
        self
    }

    /// Its output goes there, and its log has nothing.
    #[must_use]
    pub fn output(mut self, output: impl Into<OwnedFd>) -> Self {
        let output: OwnedFd = output.into();
        self.output = Some(output.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|a| (*a).to_string()));
        self
    }

    /// Expects it to listen on this port, which the test configures.
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        self.ports.mcp = port;
        self.health_port = port;
        self
    }

    /// The folder that it will run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it will listen.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(self) -> Running {
        let mut running = self.spawn().await;
        running.wait_until_healthy().await;
        running
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn spawn(self) -> Running {
        let Self { arguments, mut variables, folder, within, output, health_port, ports } = self;
        let set = variables.iter().any(|(name, _)| name == DATABASE);
        if arguments.first().is_some_and(|command| command == "brain") && !set {
            variables.extend(postgres::for_a_brain().await.map(|url| (DATABASE.to_string(), url)));
        }
        let output = output.unwrap_or_else(|| log_of(folder.path()));
        let child = spawn(&within, &arguments, &variables, folder.path(), output);
        Running { child, arguments, variables, folder, within, health_port, ports }
    }
}

fn spawn(
    within: &[String],
    arguments: &[String],
    variables: &[(String, String)],
    folder: &Path,
    output: File,
) -> Child {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = command(within, &arguments, folder);
    command.envs(variables.iter().cloned()).stdin(Stdio::null());
    command.stdout(output.try_clone().expect("a descriptor")).stderr(output).spawn().expect("the binary starts")
}

fn log_of(folder: &Path) -> File {
    File::options().create(true).append(true).open(folder.join("log")).expect("a log")
}

fn log_in(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A running program; it is killed when this is dropped.
pub struct Running {
    child: Child,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: TempDir,
    within: Vec<String>,
    health_port: u16,
    /// Where it listens.
    pub ports: Ports,
}

impl Running {
    async fn wait_until_healthy(&mut self) {
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
