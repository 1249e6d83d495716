//! The operator, run as its own ServiceAccount under its own RBAC rules.

use std::{path::PathBuf, sync::Mutex};

use tokio::sync::OnceCell;

use crate::{
    cluster::deploy, control_plane::ControlPlane, http, memory, ports, required, supervised::Supervised, waiting,
};

/// Name and namespace of its ServiceAccount.
pub const SERVICE_ACCOUNT: (&str, &str) = ("routing-operator", "routing-system");

/// The name that the API server knows it by.
#[must_use]
pub fn user() -> String {
    let (account, namespace) = SERVICE_ACCOUNT;
    format!("system:serviceaccount:{namespace}:{account}")
}

/// Writes a kubeconfig of its ServiceAccount, with a token for a day, to `<name>.kubeconfig` in the control plane's folder. The
/// account must exist: `deploy/operator` has it.
///
/// # Panics
/// If there is no such account, or the file cannot be written.
#[must_use]
pub fn kubeconfig(plane: &ControlPlane, name: &str) -> PathBuf {
    let (account, namespace) = SERVICE_ACCOUNT;
    let token =
        plane.kubectl(&["create", "token", account, "--namespace", namespace, "--duration=24h"]).expect_worked();
    let kubeconfig = plane.folder().join(format!("{name}.kubeconfig"));
    std::fs::write(&kubeconfig, plane.kubeconfig(token.trim())).expect("written");
    kubeconfig
}

/// A running operator.
pub struct Operator {
    process: Mutex<Option<Supervised>>,
    name: String,
    command: Vec<String>,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    admin_port: u16,
}

impl Operator {
    /// The operator for all namespaces on the shared control plane; it ends with the process.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Operator> = OnceCell::const_new();
        SHARED
            .get_or_init(|| async {
                let plane = ControlPlane::shared().await;
                plane.kubectl(&["apply", "-k", &deploy("operator")]).expect_worked();
                let operator = Self::start(plane, "operator", &[]).await;
                operator.wait_until("watching").await;
                operator
            })
            .await
    }

    /// Starts a replica; it may have to wait for the lease.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(plane: &ControlPlane, name: &str, arguments: &[&str]) -> Self {
        let (folder, kubeconfig) = (plane.folder().to_path_buf(), kubeconfig(plane, name));
        let admin_port = ports::free();
        let mut command = vec![required("ROUTING_OPERATOR_BIN").display().to_string()];
        command.push(format!("--admin-address=127.0.0.1:{admin_port}"));
        command.extend(arguments.iter().map(|argument| (*argument).to_string()));
        let variables = [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("ROUTING_IMAGE", "routing:0.1.0".into()),
            ("POD_NAME", name.into()),
            ("POD_NAMESPACE", SERVICE_ACCOUNT.1.into()),
            ("RUST_LOG", "info,operator=debug".into()),
        ];
        let variables = variables.map(|(variable, value)| (variable.to_string(), value)).into();
        let operator = Self { process: Mutex::default(), name: name.into(), command, variables, folder, admin_port };
        operator.start_again();
        waiting::until("the operator's admin port", || operator.page("/livez")).await;
        operator
    }

    /// Starts it again after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        let command = memory::bounded(&self.command, memory::OPERATOR_MIB);
        let process = Supervised::start(&self.name, &command, &self.variables, &self.folder);
        *self.process.lock().expect("no panic while locked") = Some(process);
    }

    /// Kills it, as a crash would.
    ///
    /// # Panics
    /// If another test panicked while it held the lock.
    pub fn kill(&self) {
        self.process.lock().expect("no panic while locked").take();
    }

    /// Waits until its `/readyz` contains this text, for example `watching`.
    pub async fn wait_until(&self, ready: &str) {
        waiting::until(&format!("the operator {} to report {ready}\n", self.name), || async {
            self.page("/readyz").await.filter(|page| page.contains(ready))
        })
        .await;
    }

    /// The id of its process.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.lock().expect("no panic while locked").as_ref().expect("it runs").process()
    }

    /// The most memory that it had so far, in MiB.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn peak_mib(&self) -> u64 {
        memory::peak_mib(self.id())
    }

    /// A page of its admin port, if it answers.
    pub async fn page(&self, path: &str) -> Option<String> {
        let answer = http().get(format!("http://127.0.0.1:{}{path}", self.admin_port)).send().await.ok()?;
        answer.text().await.ok()
    }

    /// The status code of a page of its admin port, if it answers.
    pub async fn status(&self, path: &str) -> Option<u16> {
        let answer = http().get(format!("http://127.0.0.1:{}{path}", self.admin_port)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(format!("{}.log", self.name))).unwrap_or_default()
    }
}
