//! A real control plane: etcd, kube-apiserver, kube-controller-manager, and kubectl to talk to it. It has
//! no scheduler and no kubelet: pods are only objects, unless `stand_in::kubelet` runs them.

use std::{collections::BTreeMap, ops::Deref, path::PathBuf, process::Command, sync::Mutex};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    audit::{self, Audit},
    cluster::{Cluster, deploy},
    ports, required,
    supervised::Supervised,
    waiting,
};

/// Bearer token of the administrator; only for this run's cluster, which listens on loopback.
const ADMIN_TOKEN: &str = "administrator-of-a-test";
/// Records nothing.
const NO_AUDIT: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}"#;
/// Without those of Endpoints, which refuse the loopback addresses that the stand-in for the kubelet uses.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,garbage-collector-controller,\
    namespace-controller,serviceaccount-controller,root-ca-certificate-publisher-controller,\
    statefulset-controller,\
    persistentvolumeclaim-protection-controller,resourcequota-controller,disruption-controller,pod-garbage-collector-controller,node-lifecycle-controller";

/// A running control plane.
pub struct ControlPlane {
    cluster: Cluster,
    folder: PathBuf,
    api_port: u16,
    etcd_port: u16,
    running: Mutex<BTreeMap<&'static str, Supervised>>,
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl ControlPlane {
    /// The control plane of this test process; it ends with the process.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A control plane with the CRD installed.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        Self::start_with(audit::POLICY).await
    }

    /// A control plane of a test's own. It ends with the thread of the test: what a test leaves behind takes processor
    /// time from those that still run.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn own() -> &'static Self {
        thread_local!(static OWN: std::cell::RefCell<Vec<Ends>> = const { std::cell::RefCell::new(Vec::new()) });
        // Never freed: the threads of the test share it.
        let plane: &'static Self = Box::leak(Box::new(Self::start().await));
        OWN.with_borrow_mut(|own| own.push(Ends(plane)));
        plane
    }

    /// A control plane without an audit record: of hours of requests it would fill a disk.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_unrecorded() -> Self {
        Self::start_with(NO_AUDIT).await
    }

    async fn start_with(audit_policy: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("routing-plane-").tempdir().expect("a folder").keep();
        let cluster = Cluster::new(folder.join("admin.kubeconfig"), &folder);
        let (api_port, etcd_port) = (ports::free(), ports::free());
        let plane = Self { cluster, folder, api_port, etcd_port, running: Mutex::default() };
        plane.write("audit.yaml", audit_policy);
        plane.write("tokens.csv", &format!("{ADMIN_TOKEN},admin,admin,system:masters\n"));
        let key =
            Command::new("openssl").args(["genrsa", "-out", "sa.key", "2048"]).current_dir(&plane.folder).output();
        assert!(key.expect("openssl runs").status.success());
        plane.start_etcd();
        plane.start_api_server().await;
        plane.kubectl(&["apply", "-k", &deploy("../crds")]).expect_worked();
        plane.serves("routingpolicies.routing.hyperguild.io").await;
        // The schema for `kubectl explain` is published a moment later.
        waiting::until_true("the CRD's fields to be published", || async {
            plane.kubectl(&["explain", "rp.spec.upstream"]).worked
        })
        .await;
        // After the CRD: the garbage collector discovers new kinds only twice a minute.
        plane.start_controllers();
        plane
    }

    fn start_etcd(&self) {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", ports::free());
        let command = arguments(&[
            &assets("etcd"),
            "--data-dir=etcd",
            "--unsafe-no-fsync",
            &format!("--listen-client-urls={client}"),
            &format!("--advertise-client-urls={client}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=default={peer}"),
        ]);
        let etcd = Supervised::start_and_remove("etcd", &command, &[], &self.folder, Some(&self.folder));
        self.keep("etcd", etcd);
    }

    /// Starts the API server, also after it was stopped, and waits until it serves.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_api_server(&self) {
        let command = arguments(&[
            &assets("kube-apiserver"),
            &format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1",
            &format!("--secure-port={}", self.api_port),
            "--cert-dir=certs",
            "--service-cluster-ip-range=10.96.0.0/16",
            // The API server assigns the first ports of the range (here up to 30385) only to Services that name them:
            // no other Service gets a test's fixed port by chance. 30310 is the samples' port.
            "--service-node-port-range=30310-32767",
            "--authorization-mode=RBAC",
            "--token-auth-file=tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=sa.key",
            "--service-account-signing-key-file=sa.key",
            "--audit-policy-file=audit.yaml",
            "--audit-log-path=audit.log",
            // In MiB: in one file, also of a thousand policies.
            "--audit-log-maxsize=4096",
        ]);
        self.keep("kube-apiserver", Supervised::start("kube-apiserver", &command, &[], &self.folder));
        let certificate = self.folder.join("certs/apiserver.crt");
        waiting::until_true("the API server's certificate", || async { certificate.exists() }).await;
        self.write("admin.kubeconfig", &self.kubeconfig(ADMIN_TOKEN));
        waiting::until_true("the API server to be ready", || async {
            self.kubectl(&["get", "--raw", "/readyz"]).worked
        })
        .await;
    }

    /// Kills the API server.
    pub fn stop_api_server(&self) {
        self.running.lock().expect("no panic while locked").remove("kube-apiserver");
    }

    fn start_controllers(&self) {
        let program = required("ROUTING_TEST_KUBERNETES").join("kube-controller-manager").display().to_string();
        let command = arguments(&[
            &program,
            "--kubeconfig=admin.kubeconfig",
            "--authentication-kubeconfig=admin.kubeconfig",
            "--authorization-kubeconfig=admin.kubeconfig",
            "--bind-address=127.0.0.1",
            &format!("--secure-port={}", ports::free()),
            "--leader-elect=false",
            "--service-account-private-key-file=sa.key",
            "--root-ca-file=certs/apiserver.crt",
            &format!("--controllers={CONTROLLERS}"),
            "--concurrent-deployment-syncs=10",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]);
        self.keep("controllers", Supervised::start("kube-controller-manager", &command, &[], &self.folder));
    }

    fn keep(&self, name: &'static str, process: Supervised) {
        self.running.lock().expect("no panic while locked").insert(name, process);
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.join(file), text).expect("written");
    }

    /// The text of a kubeconfig with this bearer token.
    #[must_use]
    pub fn kubeconfig(&self, token: &str) -> String {
        let (server, certificate) =
            (format!("https://127.0.0.1:{}", self.api_port), self.folder.join("certs/apiserver.crt"));
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": certificate}}],
            "users": [{"name": "u", "user": {"token": token}}],
        });
        kubeconfig.to_string()
    }

    /// The API server's audit record of requests from the operator's namespace.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        let mut all = vec![];
        self.audit_since(&mut 0, |entry| all.push(entry));
        all
    }

    /// Calls `note` with each entry that the audit record got since the last call; `read` is how many bytes of it were
    /// read, 0 at first.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn audit_since(&self, read: &mut u64, note: impl FnMut(Value)) {
        Audit::in_file(self.folder.join("audit.log")).since(read, note);
    }

    /// The log of one of its programs.
    #[must_use]
    pub fn log(&self, program: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("{program}.log"))).unwrap_or_default()
    }
}

/// Ends the programs of a control plane when this is dropped.
struct Ends(&'static ControlPlane);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The end of etcd removes the folder of all of them.
        for name in ["controllers", "kube-apiserver", "etcd"] {
            running.remove(name);
        }
    }
}

/// The path of etcd or kube-apiserver: in `KUBEBUILDER_ASSETS` if set, otherwise as built by `make test`.
fn assets(program: &str) -> String {
    let given = std::env::var("KUBEBUILDER_ASSETS").ok().filter(|folder| !folder.is_empty()).map(PathBuf::from);
    given.unwrap_or_else(|| required("ROUTING_TEST_KUBERNETES")).join(program).display().to_string()
}

fn arguments(list: &[&str]) -> Vec<String> {
    list.iter().map(|argument| (*argument).to_string()).collect()
}
