//! The `routing` binary, run as a user runs it.

mod running;

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

pub use self::running::Running;
use crate::{memory, ports, postgres, required, small_disk::SmallDisk};

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
