//! A cluster as its administrator sees it: kubectl and a client, both with one kubeconfig.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use crate::{checkout, required, waiting};

/// The administrator of a cluster.
pub struct Cluster {
    kubeconfig: PathBuf,
    home: PathBuf,
}

/// The outcome of a kubectl command.
#[derive(Debug)]
pub struct Kubectl {
    /// Whether its exit code is 0.
    pub worked: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Cluster {
    /// The cluster of a kubeconfig; kubectl keeps its cache in `home`.
    #[must_use]
    pub fn new(kubeconfig: impl Into<PathBuf>, home: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into(), home: home.into() }
    }

    /// The administrator's client, for the runtime of this test.
    ///
    /// # Panics
    /// If it cannot be created.
    pub async fn client(&self) -> Client {
        Client::try_from(self.admin_config().await).expect("a client")
    }

    /// The configuration of the administrator's client.
    ///
    /// # Panics
    /// If it cannot be created.
    pub async fn admin_config(&self) -> Config {
        let _ = crate::http();
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig");
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a config")
    }

    /// A kubectl command as the administrator, not started yet.
    #[must_use]
    pub fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(required("ROUTING_TEST_KUBERNETES").join("kubectl"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Runs kubectl as the administrator.
    ///
    /// # Panics
    /// If kubectl cannot be run.
    pub fn kubectl(&self, arguments: &[&str]) -> Kubectl {
        self.kubectl_with(arguments, "")
    }

    /// Runs kubectl as the administrator, with something on its standard input.
    ///
    /// # Panics
    /// If kubectl cannot be run.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> Kubectl {
        let mut child = self
            .kubectl_command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_string();
        // In a thread: kubectl may print before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("kubectl ends");
        // A kubectl that refuses its arguments does not read its input.
        let _ = writer.join().expect("the writer does not panic");
        Kubectl {
            worked: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into(),
            err: String::from_utf8_lossy(&output.stderr).into(),
        }
    }

    /// Waits until the API server serves a kind. `kubectl wait` would fail on a definition that is so new that it has
    /// no conditions.
    ///
    /// # Panics
    /// If it does not within the limit.
    pub async fn serves(&self, definition: &str) {
        let condition = r#"--output=jsonpath={.status.conditions[?(@.type=="Established")].status}"#;
        waiting::until_true(&format!("{definition} to be served"), || async {
            self.kubectl(&["get", "crd", definition, condition]).out == "True"
        })
        .await;
    }

    /// Applies a document as `kubectl apply` does.
    ///
    /// # Panics
    /// If it is refused.
    pub fn apply(&self, namespace: &str, document: &str) {
        self.kubectl_with(&["apply", "--namespace", namespace, "--filename", "-"], document).expect_worked();
    }

    /// Creates a namespace for a test; its pods must meet the restricted Pod Security Standard.
    ///
    /// # Panics
    /// If it cannot be created.
    #[must_use]
    pub fn namespace(&self, name: &str) -> String {
        let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}});
        self.kubectl_with(&["create", "--filename", "-"], &namespace.to_string()).expect_worked();
        name.to_string()
    }

    /// Where kubectl keeps its cache; a test may keep files there, too.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.home
    }
}

impl Kubectl {
    /// The output of a command that worked.
    ///
    /// # Panics
    /// If it failed.
    pub fn expect_worked(self) -> String {
        assert!(self.worked, "{}{}", self.err, self.out);
        self.out
    }
}

/// The path of a folder below `deploy`.
#[must_use]
pub fn deploy(folder: &str) -> String {
    checkout().join("deploy").join(folder).display().to_string()
}
